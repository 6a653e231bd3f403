// Mutations of valid files: whatever is done to them, a reader gives a clear error or a result that is sound, soon. The
// mutations are drawn from a seed; FUZZ_SEED and FUZZ_SCALE choose others and more.
import { readFile } from 'node:fs/promises';
import type { Json } from '../../src/config/json.ts';
import type { Weights } from '../../src/unet/weights/weights.ts';
import { internal } from '../internal.ts';
import { fixture } from '../support.ts';

const { readSafetensors } =
  await internal<typeof import('../../src/unet/weights/safetensors.ts')>('unet/weights/safetensors');
const { readTorchBin } = await internal<typeof import('../../src/unet/weights/torch-bin.ts')>('unet/weights/torch-bin');
const { parseIndex } = await internal<typeof import('../../src/unet/weights/read.ts')>('unet/weights/read');
const { readOnnxFile } = await internal<typeof import('../../src/unet/onnx-file.ts')>('unet/onnx-file');
const { parseJson } = await internal<typeof import('../../src/hub/files.ts')>('hub/files');
const { unetArchitecture } = await internal<typeof import('../../src/config/architecture.ts')>('config/architecture');
const { buildGraph } = await internal<typeof import('../../src/unet/graph/build.ts')>('unet/graph/build');
const { unetConfig } = await internal<typeof import('../../src/config/unet.ts')>('config/unet');

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const SCALE = Number(process.env.FUZZ_SCALE ?? 1);
/** Longest that one file of a few kilobytes may take. */
const LIMIT = 2000;

/** mulberry32: 32 bits of state, good enough to choose mutations, the same everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Draw = ReturnType<typeof random>;
const pick = <T>(draw: Draw, list: readonly T[]): T => list[draw(list.length)] as T;

const NUMBERS = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 40n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const TOKENS = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  'null',
  'true',
  '-1',
  '1e999',
  'NaN',
  '9223372036854775807',
  '""',
  '"__proto__"',
  '"F32"',
  '\\u0000',
  ' ',
];

const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

/** One to four changes of any kind. */
function mutate(draw: Draw, seeds: readonly Uint8Array[], words: readonly string[]): Uint8Array {
  let bytes = Uint8Array.from(pick(draw, seeds));
  for (let n = 1 + draw(4); n > 0; n--) {
    const at = draw(bytes.length + 1);
    switch (draw(9)) {
      case 0: // one bit
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << draw(8));
        break;
      case 1: // one byte
        if (at < bytes.length) bytes[at] = draw(256);
        break;
      case 2: {
        // a number that matters, in 1 to 8 bytes
        const number = pick(draw, NUMBERS);
        for (let i = 0, size = 1 << draw(4); i < size && at + i < bytes.length; i++)
          bytes[at + i] = Number((number >> BigInt(8 * i)) & 255n);
        break;
      }
      case 3: // cut off
        bytes = bytes.slice(0, at);
        break;
      case 4: // something twice, or of another file
      case 5: {
        const other = draw(2) ? bytes : pick(draw, seeds);
        const from = draw(other.length + 1);
        const part = other.subarray(from, from + draw(64));
        bytes = concat(bytes.subarray(0, at), part, bytes.subarray(at));
        break;
      }
      case 6: // something gone
        bytes = concat(bytes.subarray(0, at), bytes.subarray(at + draw(32)));
        break;
      default: {
        // a word in place of what is there
        const word = new TextEncoder().encode(pick(draw, words));
        bytes = concat(bytes.subarray(0, at), word, bytes.subarray(at + (draw(2) ? word.length : 0)));
      }
    }
  }
  return bytes;
}

/** What every accepted result upholds. */
function sound({ tensors, files }: Weights): void {
  const size = { float64: 8, float32: 4, float16: 2, bfloat16: 2 };
  for (const [name, { dtype, shape, file, offset, length }] of tensors) {
    const bytes = files.get(file);
    if (!bytes || offset < 0 || length < 0 || offset + length > bytes.length)
      throw new Error(`unsound: ${name} is not in its file`);
    if (length !== shape.reduce((n, d) => n * d, 1) * size[dtype]) throw new Error(`unsound: ${name} has not its size`);
  }
}

const read = async (...names: string[]) =>
  Promise.all(names.map(async (name) => new Uint8Array(await readFile(fixture(name)))));
const label = 'here/file';
const pickleWords = [
  '(',
  ')',
  '}',
  ']',
  't',
  's',
  'u',
  'e',
  'R',
  'b',
  'Q',
  '.',
  'h\u0000',
  'q\u0000',
  'cposix\nsystem\n',
  'ctorch\nFloatStorage\n',
  'K\u0001',
  '\u0001\u0002',
  'PK\u0001\u0002',
  'PK\u0005\u0006',
];

const json = await read(
  'checkpoints/pipeline/unet/config.json',
  'checkpoints/ddim-lsun-bedroom/unet/config.json',
  'checkpoints/new-options/config.json',
);
const [weights] = (await read('checkpoints/safetensors/diffusion_pytorch_model.safetensors')) as [Uint8Array];
const { tensors } = { tensors: readSafetensors(label, 'file', weights) };
const settings = [
  '"block_out_channels"',
  '"layers_per_block"',
  '64',
  '65536',
  '[4, 8, 8]',
  '"SkipDownBlock2D"',
  '"fourier"',
  '1e308',
  '-0',
  '"AttnUpBlock2D"',
  '"norm_num_groups": null',
  ...TOKENS,
];

const targets: [
  name: string,
  count: number,
  seeds: Uint8Array[],
  words: string[],
  body: (bytes: Uint8Array) => void,
][] = [
  [
    'safetensors',
    25_000,
    await read('weights/tensors-1.13.0.safetensors', 'weights/tensors-2.6.0.safetensors'),
    TOKENS,
    (bytes) => sound({ tensors: readSafetensors(label, 'file', bytes), files: new Map([['file', bytes]]) }),
  ],
  [
    '.bin as zip',
    25_000,
    await read('weights/views-1.13.0.bin', 'weights/views-2.6.0.bin', 'weights/protocol4-2.6.0.bin'),
    pickleWords,
    (bytes) => sound(readTorchBin(label, 'file', bytes)),
  ],
  [
    '.bin before torch 1.6',
    25_000,
    await read('weights/legacy-1.13.0.bin', 'weights/legacy-2.6.0.bin'),
    pickleWords,
    (bytes) => sound(readTorchBin(label, 'file', bytes)),
  ],
  [
    'an index of shards',
    15_000,
    await read('checkpoints/sharded/diffusion_pytorch_model.safetensors.index.json'),
    ['"../x.safetensors"', '"/x.safetensors"', '"weight_map"', ...TOKENS],
    (bytes) => {
      for (const shard of parseIndex(label, bytes, 'safetensors').values()) {
        if (!/^[\w-][\w.-]*\.safetensors$/.test(shard)) throw new Error(`unsound: ${shard}`);
      }
    },
  ],
  [
    'config.json, and the graph of it',
    15_000,
    json,
    settings,
    (bytes) => {
      const config: Json = parseJson(label, bytes);
      const named = (body: () => void) => {
        try {
          body();
        } catch (error) {
          // The loader puts the file's name before these.
          if (
            /^(TypeError|RangeError|Error)$/.test((error as Error).name) &&
            /^[\w./[\]-]+(, \w+)*: /.test((error as Error).message)
          ) {
            throw new Error(`${label}: ${(error as Error).message}`);
          }
          throw error;
        }
      };
      named(() => unetConfig(config));
      named(() => buildGraph(unetArchitecture(config), { tensors }, label).graph.encode());
    },
  ],
  [
    'an ONNX file',
    15_000,
    await read('pipelines/external/unet/model.onnx'),
    ['\u0008', '\u0012', '\u001a', '..', '/etc', 'location'],
    (bytes) => {
      for (const name of readOnnxFile(label, bytes).externalData) {
        if (/(^|\/)\.\.(\/|$)|^\//.test(name)) throw new Error(`unsound: ${name}`);
      }
    },
  ],
];

test('at least 100,000 mutations', () => {
  expect(targets.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThanOrEqual(100_000);
});

test('an ONNX file of 10 million empty weights is refused', () => {
  // Field 7, the graph, of 20 million bytes; in it field 5, of none.
  const weights = new Uint8Array(20_000_000).map((_, i) => (i % 2 === 0 ? 0x2a : 0));
  const size = [0, 7, 14, 21].map((shift, i) => ((weights.length >> shift) & 127) | (i < 3 ? 128 : 0));
  const file = new Uint8Array(5 + weights.length);
  file.set([0x3a, ...size]);
  file.set(weights, 5);
  expect(() => readOnnxFile('model.onnx', file)).toThrow(/more than 100000 fields of a kind/);
});

test.each(targets)('%s: %i mutations', (name, count, seeds, words, body) => {
  const before = process.memoryUsage().rss;
  let accepted = 0;
  for (let i = 0; i < count * SCALE; i++) {
    const bytes = mutate(random(SEED * 1_000_003 + i), seeds, words);
    const start = performance.now();
    try {
      body(bytes);
      accepted++;
    } catch (error) {
      const { message, stack } = error as Error;
      if (!message.startsWith(`${label}: `)) throw new Error(`${name}, mutation ${i} of seed ${SEED}: ${stack}`);
    }
    const taken = performance.now() - start;
    if (taken > LIMIT) throw new Error(`${name}, mutation ${i} of seed ${SEED}: took ${taken} ms`);
  }
  // Both happen: the mutations are neither all harmless nor all fatal.
  expect(accepted).toBeGreaterThan(0);
  expect(accepted).toBeLessThan(count * SCALE);
  expect(process.memoryUsage().rss - before).toBeLessThan(1e9);
});
