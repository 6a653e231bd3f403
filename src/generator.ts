import { checkInteger, describe } from './check.js';
import { eachChunk, kernels, STATE_BYTES } from './kernels/arena.js';
import { checkShape, sizeOf, type Tensor } from './tensor.js';

/** The seed of a torch.Generator that nobody has seeded: c10::detail::default_rng_seed_val. */
const DEFAULT_SEED = 67280421310721n;
/** Length of torch's serialized state: CPUGeneratorImplState, aten/src/ATen/CPUGeneratorImpl.cpp. */
const TORCH_STATE_BYTES = 5056;

const BRAND = Symbol.for('ddim-wasm.Generator');

function isGenerator(value: unknown): value is Generator {
  return typeof value === 'object' && value !== null && BRAND in value;
}

function toSeed(name: string, seed: number | bigint): bigint {
  if (typeof seed !== 'number' && typeof seed !== 'bigint') {
    throw new TypeError(`${name}: expected an integer (number or bigint), got ${describe(seed)}`);
  }
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new RangeError(`${name}: expected a safe integer (use a bigint beyond 2^53 - 1), got ${describe(seed)}`);
  }
  const value = BigInt(seed);
  if (value < -(2n ** 63n) || value >= 2n ** 64n) {
    throw new RangeError(`${name}: expected an integer in -2^63..2^64-1, got ${describe(seed)}`);
  }
  return BigInt.asUintN(64, value);
}

/**
 * torch.Generator on the CPU: the same seed gives the same float32 noise, bit for bit, as PyTorch on an x86-64 CPU with
 * AVX2, for every size and order of calls.
 *
 * Only the low 32 bits of a seed matter, as in torch.
 *
 * @example
 * const generator = new Generator(0);
 * generator.randn([2, 3]); // torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
 */
export class Generator {
  /** Said outright, since bundlers rename classes. */
  static readonly name = 'Generator';

  /** Tells a Generator of another copy of this module (ESM beside CommonJS) from anything else. */
  readonly [BRAND] = true;
  #seed = DEFAULT_SEED;
  /** next, hasNormal, normal and the 624 words, as assembly/mt19937.ts lays them out. */
  readonly #state = new Uint8Array(STATE_BYTES);

  /**
   * @param seed an integer in -2^63..2^64-1 (a number up to 2^53 - 1, else a bigint); torch's default seed if left out.
   * @throws {TypeError} not a number or bigint. @throws {RangeError} out of range or not an integer.
   */
  constructor(seed: number | bigint = DEFAULT_SEED) {
    this.manualSeed(seed);
  }

  /** Starts over from a seed, as `torch.Generator.manual_seed`; a cached normal is forgotten. */
  manualSeed(seed: number | bigint): this {
    this.#seed = toSeed('seed', seed);
    const k = kernels();
    k.seed(k.state, Number(BigInt.asUintN(32, this.#seed)) | 0);
    this.#state.set(k.stateBytes);
    return this;
  }

  /** The seed last set, in 0..2^64-1, as `torch.Generator.initial_seed`. */
  initialSeed(): bigint {
    return this.#seed;
  }

  /** Seeds from the platform's entropy and returns the seed, as `torch.Generator.seed`. */
  seed(): bigint {
    const [low, high] = crypto.getRandomValues(new Uint32Array(2));
    // 53 bits, so that the seed can be written down as a plain number.
    this.manualSeed((BigInt((high as number) & 0x1fffff) << 32n) | BigInt(low as number));
    return this.#seed;
  }

  /**
   * Standard normal noise: `torch.randn(shape, generator=...)`.
   * @param shape sizes of the dimensions; a number for one dimension.
   * @throws {TypeError|RangeError} a shape that is none.
   * @example new Generator(0).randn([1, 3, 32, 32]).data[0] // -1.1258398294448853
   */
  randn(shape: number | readonly number[]): Tensor {
    const dims = checkShape('shape', shape);
    const data = new Float32Array(sizeOf(dims));
    this.#draw((k) => {
      const [out, view] = [k.pointers[0] as number, k.buffers[0] as Float32Array];
      const n = data.length;
      if (n < 16) {
        k.randnSerial(k.state, out, n);
        data.set(view.subarray(0, n));
        return;
      }
      eachChunk(n - (n % 16), (start, count) => {
        k.randnBlocks(k.state, out, count / 16);
        data.set(view.subarray(0, count), start);
      });
      if (n % 16 !== 0) {
        // torch fills all n places with uniforms, then draws 16 fresh ones over the last 16 places.
        k.skip(k.state, n % 16);
        k.randnBlocks(k.state, out, 1);
        data.set(view.subarray(0, 16), n - 16);
      }
    });
    return { data, shape: dims };
  }

  /**
   * Uniform noise in [0, 1): `torch.rand(shape, generator=...)`.
   * @param shape sizes of the dimensions; a number for one dimension.
   * @example new Generator(0).rand([2]).data // Float32Array [0.49625658988952637, 0.7682217955589294]
   */
  rand(shape: number | readonly number[]): Tensor {
    const dims = checkShape('shape', shape);
    const data = new Float32Array(sizeOf(dims));
    this.#draw((k) => {
      const [out, view] = [k.pointers[0] as number, k.buffers[0] as Float32Array];
      eachChunk(data.length, (start, count) => {
        k.rand(k.state, out, count);
        data.set(view.subarray(0, count), start);
      });
    });
    return { data, shape: dims };
  }

  /**
   * The whole state, a cached normal included: the 5,056 bytes of torch's `generator.get_state()`. (The cached normal is a
   * float64 that torch takes from the C library: its last bit may differ, the float32 it becomes does not.)
   */
  getState(): Uint8Array {
    const bytes = new Uint8Array(TORCH_STATE_BYTES);
    const to = new DataView(bytes.buffer);
    const from = new DataView(this.#state.buffer);
    const next = from.getUint32(0, true);
    to.setBigUint64(0, this.#seed, true);
    to.setInt32(8, next === 0 ? 1 : 625 - next, true); // left
    to.setInt32(12, 1, true); // seeded
    to.setBigUint64(16, BigInt(next), true);
    for (let i = 0; i < 624; i++) to.setBigUint64(24 + 8 * i, BigInt(from.getUint32(16 + 4 * i, true)), true);
    if (from.getUint32(4, true)) {
      to.setFloat64(5024, from.getFloat64(8, true), true); // normal_y
      to.setInt32(5040, 1, true); // normal_is_valid
    }
    return bytes;
  }

  /**
   * Takes over a state from `getState` or from torch's `generator.get_state()`.
   * @throws {TypeError} not a Uint8Array. @throws {RangeError} not the state of a seeded CPU generator.
   */
  setState(state: Uint8Array): this {
    if (Object.prototype.toString.call(state) !== '[object Uint8Array]') {
      throw new TypeError(`state: expected a Uint8Array of ${TORCH_STATE_BYTES} bytes, got ${describe(state)}`);
    }
    if (state.length !== TORCH_STATE_BYTES) {
      throw new RangeError(`state: expected ${TORCH_STATE_BYTES} bytes, got ${state.length}`);
    }
    const from = new DataView(state.buffer, state.byteOffset, state.byteLength);
    const next = from.getBigUint64(16, true);
    const left = from.getInt32(8, true);
    checkInteger('state.next', Number(next), 0, 624);
    if (left !== (next === 0n ? 1 : 625 - Number(next)) || from.getInt32(12, true) !== 1) {
      throw new RangeError(`state: expected a seeded generator with left = 625 - next, got left ${left}, next ${next}`);
    }
    const to = new DataView(this.#state.buffer);
    this.#seed = from.getBigUint64(0, true);
    const hasNormal = from.getInt32(5040, true) !== 0;
    to.setUint32(0, Number(next), true);
    to.setUint32(4, hasNormal ? 1 : 0, true);
    to.setFloat64(8, hasNormal ? from.getFloat64(5024, true) : 0, true);
    for (let i = 0; i < 624; i++)
      to.setUint32(16 + 4 * i, Number(from.getBigUint64(24 + 8 * i, true) & 0xffffffffn), true);
    return this;
  }

  /** Lends the state to the kernels for one draw. */
  #draw(body: (k: ReturnType<typeof kernels>) => void): void {
    const k = kernels();
    k.stateBytes.set(this.#state);
    body(k);
    this.#state.set(k.stateBytes);
  }
}

/** A generator seeded from the platform's entropy: what is used where nobody gives one. */
export function freshGenerator(): Generator {
  const generator = new Generator();
  generator.seed();
  return generator;
}

/** Checks `generator`: one, or a list with one for each of `batchSize` images. */
export function checkGenerators(name: string, generator: unknown, batchSize: number): Generator | readonly Generator[] {
  if (isGenerator(generator)) return generator;
  if (!Array.isArray(generator) || !generator.every(isGenerator)) {
    throw new TypeError(`${name}: expected a Generator or an array of them, got ${describe(generator)}`);
  }
  if (generator.length !== batchSize) {
    throw new RangeError(
      `${name}: expected ${batchSize} generators, one for each image of the batch, got ${generator.length}`,
    );
  }
  return generator;
}

/** What `randnTensor` draws a shape from: one generator for all of it (a list of one counts), or one for each image. */
export function checkSources(shape: readonly number[], generator: unknown): Generator | readonly Generator[] {
  const alone = Array.isArray(generator) && generator.length === 1;
  const checked = checkGenerators('generator', generator, alone ? 1 : (shape[0] ?? 1));
  return alone ? ((checked as readonly Generator[])[0] as Generator) : checked;
}

/**
 * diffusers' `randn_tensor`: one generator draws the whole shape; a list draws (1, ...shape[1:]) each, in order.
 * A list of one draws the whole shape, as in diffusers.
 * @example randnTensor([2, 3, 32, 32], [new Generator(0), new Generator(1)])
 */
export function randnTensor(shape: readonly number[], generator: Generator | readonly Generator[]): Tensor {
  const dims = checkShape('shape', shape);
  const checked = checkSources(dims, generator);
  if (isGenerator(checked)) return checked.randn(dims);
  const each = sizeOf(dims.slice(1));
  const data = new Float32Array(sizeOf(dims));
  checked.forEach((g, i) => {
    data.set(g.randn([1, ...dims.slice(1)]).data, i * each);
  });
  return { data, shape: dims };
}
