// The drawn UNets of fixtures/unets: their weights, drawn again, written as the checkpoints that diffusers would save.
// fixtures/unets/record.py says how they are drawn.
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Generator, type Tensor, type UNet2DModel } from 'ddim-wasm';
import { readFloats, readJson } from './support.ts';

/** Types of a file's tensors, as safetensors names them. */
export type Type = 'F32' | 'F16' | 'BF16';
export type Recipe = 'fan' | 'table' | 'fourier' | 'norm' | 'bias';
export type Kind = 'safetensors' | 'safetensors-f16' | 'safetensors-bf16' | 'sharded' | 'old-names';

/** Weights to draw, one generator for all of them. */
export interface Drawn {
  seed: number;
  kind: Kind;
  weights: { name: string; shape: number[]; recipe: Recipe }[];
  /** Further names of the state dict for the same tensor. */
  aliases: Record<string, string>;
  /** SHA-256 of the float32 bytes of all weights. */
  sha256: string;
}

export interface Run {
  batch: number;
  size: [number, number];
  timestep: number;
  seed: number;
  /** A class for each image, or that the embeddings themselves are drawn. */
  labels: number[] | 'identity' | null;
  /** Of the output. */
  shape: number[];
  offset: number;
  /** Difference of the recorded output to the model in float64, relative to the largest output. */
  float64: number;
}

export interface Case extends Drawn {
  name: string;
  family: string;
  /** The releases of diffusers that run it. */
  diffusers: string[];
  /** How far apart they are, relative to the largest output. */
  versions: number | null;
  illConditioned: boolean;
  parameters: number;
  /** As diffusers writes it to config.json. */
  config: Record<string, unknown> & { in_channels: number; block_out_channels: number[] };
  runs: Run[];
}

/** A run of fixtures/unets/full.json. */
export interface FullRun extends Run {
  /** Where the output of the model in float64 begins. */
  exactOffset: number;
  /** What is stored of an output, if not all of it: a corner, then every n-th pixel. */
  kept: { corner: number; stride: number } | null;
}

/** The models of full size, with weights that take a while to draw: google/ddpm-cifar10-32 and -celebahq-256. */
export interface FullCase extends Omit<Case, 'runs' | 'family' | 'diffusers' | 'versions' | 'illConditioned'> {
  runs: FullRun[];
}

/** What diffusers itself refuses to build or run, with its reason for each release. */
export interface Refused {
  name: string;
  config: Record<string, unknown>;
  reasons: Record<string, string>;
}

interface Recorded<T> {
  names: string[];
  cases: (Omit<T, 'weights'> & { weights: [number, Recipe, ...number[]][] })[];
}

/** The cases of unets.json or of a file like it. */
export async function loadCases<T extends Drawn = Case>(file = 'unets/unets.json'): Promise<T[]> {
  const { names, cases } = await readJson<Recorded<T>>(file);
  return cases.map((one) => {
    const weights = one.weights.map(([name, recipe, ...shape]) => ({ name: names[name] as string, recipe, shape }));
    return { ...one, weights } as unknown as T;
  });
}

export async function loadFullCases(): Promise<FullCase[]> {
  return loadCases<FullCase>('unets/full.json');
}

/** The recorded outputs of a full-size run in float32 and in float64, as far as they are kept. */
async function expectedFull(run: FullRun): Promise<{ single: Float32Array; exact: Float32Array }> {
  full ??= readFloats('unets/full.bin');
  const values = await full;
  const size = run.exactOffset - run.offset;
  return {
    single: values.slice(run.offset, run.offset + size),
    exact: values.slice(run.exactOffset, run.exactOffset + size),
  };
}

let full: Promise<Float32Array> | undefined;

/** Of an output, what is kept of it in full.bin. */
function keptOf({ data, shape }: Tensor, kept: FullRun['kept']): Float32Array {
  if (kept === null) return Float32Array.from(data);
  const [height, width] = shape.slice(-2) as [number, number];
  const planes = data.length / (height * width);
  const values: number[] = [];
  const take = (until: number, step: number) => {
    for (let plane = 0; plane < planes; plane++)
      for (let y = 0; y < Math.min(until, height); y += step)
        for (let x = 0; x < Math.min(until, width); x += step) values.push(at(data, (plane * height + y) * width + x));
  };
  take(kept.corner, 1);
  take(Infinity, kept.stride);
  return Float32Array.from(values);
}

/** How far each run of a full-size model is from diffusers in float32 and in float64, of the largest output. */
export async function* fullDifferences(
  unet: UNet2DModel,
  one: FullCase,
): AsyncGenerator<{ timestep: number; differences: [single: number, exact: number] }> {
  for (const run of one.runs) {
    const { sample, timestep } = inputs(one, run);
    const output = keptOf((await unet.forward(sample, timestep)).sample, run.kept);
    const { single, exact } = await expectedFull(run);
    yield { timestep, differences: [relativeDifference(output, single), relativeDifference(output, exact)] };
  }
}

export async function loadRefused(): Promise<Refused[]> {
  return (await readJson<{ refused: Refused[] }>('unets/unets.json')).refused;
}

/** The recorded outputs of a case, one for each of its runs. */
export async function expectedOutputs(one: Case): Promise<Tensor[]> {
  expected ??= readFloats('unets/expected.bin');
  const values = await expected;
  return one.runs.map(({ shape, offset }) => ({ data: values.slice(offset, offset + sizeOf(shape)), shape }));
}

let expected: Promise<Float32Array> | undefined;

/** The inputs of a run. `classLabels` is left out where the model has no classes. */
export function inputs(
  one: Pick<Case, 'config'>,
  run: Run,
): { sample: Tensor; timestep: number; classLabels?: number[] | Tensor } {
  const { in_channels, block_out_channels, time_embedding_dim } = one.config;
  const generator = new Generator(run.seed);
  const sample = generator.randn([run.batch, in_channels, ...run.size]);
  const { timestep, labels } = run;
  if (labels === null) return { sample, timestep };
  const dim = (time_embedding_dim as number | null | undefined) ?? 4 * (block_out_channels[0] as number);
  return { sample, timestep, classLabels: labels === 'identity' ? generator.randn([run.batch, dim]) : labels };
}

/** The largest difference relative to the largest expected value: what the bounds of the outputs are about. */
export function relativeDifference(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (actual.length !== wanted.length) return Infinity;
  let [largest, scale] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    const difference = Math.abs((actual[i] as number) - (wanted[i] as number));
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
    scale = Math.max(scale, Math.abs(wanted[i] as number));
  }
  return largest / scale;
}

/** Draws the weights of a case, rounded to the type of its file, in the order of its state dict, aliases left out. */
export function drawWeights(one: Drawn): Map<string, Tensor> {
  const generator = new Generator(one.seed);
  const tensors = new Map<string, Tensor>();
  for (const { name, shape, recipe } of one.weights) {
    const { data } = generator.randn(shape);
    scale(data, shape, recipe);
    if (one.kind === 'safetensors-f16') for (let i = 0; i < data.length; i++) data[i] = fromHalf(toHalf(at(data, i)));
    if (one.kind === 'safetensors-bf16') for (let i = 0; i < data.length; i++) data[i] = roundToBrain(at(data, i));
    tensors.set(name, { data, shape });
  }
  return tensors;
}

/** SHA-256 of drawn weights, to compare with the recorded one. */
export function digest(tensors: Map<string, Tensor>): string {
  const hash = createHash('sha256');
  for (const { data } of tensors.values()) hash.update(bytesOf(data as Float32Array));
  return hash.digest('hex');
}

/**
 * Writes config.json and the weights as diffusers lays them out. Of weights with two names the safetensors kinds have one,
 * which is all that such a file may hold; 'old-names' has both, and attention weights under the names of diffusers 0.13
 * and before.
 */
export async function writeCheckpoint(
  directory: string,
  one: Drawn & Pick<Case, 'config'>,
  tensors = drawWeights(one),
): Promise<void> {
  await writeConfig(directory, one);
  if (one.kind === 'sharded') {
    await writeShards(directory, tensors);
  } else if (one.kind === 'old-names') {
    const renamed = new Map([...tensors].map(([name, tensor]) => [oldName(name), tensor]));
    for (const [alias, name] of Object.entries(one.aliases)) renamed.set(alias, tensors.get(name) as Tensor);
    await writeFile(join(directory, `${STEM}.safetensors`), safetensors(renamed));
  } else {
    await writeFile(join(directory, `${STEM}.safetensors`), safetensors(tensors, typeOf(one.kind)));
  }
}

/**
 * Writes config.json and diffusion_pytorch_model.bin, as torch.save does: in the type of the case's kind, with every name
 * of the state dict, and with the old names for 'old-names'.
 */
export async function writeBinCheckpoint(
  directory: string,
  one: Drawn & Pick<Case, 'config'>,
  tensors = drawWeights(one),
): Promise<void> {
  await writeConfig(directory, one);
  const named = new Map(
    [...tensors].map(([name, tensor]) => [one.kind === 'old-names' ? oldName(name) : name, tensor]),
  );
  // The same tensor object: one storage with two names.
  for (const [alias, name] of Object.entries(one.aliases)) named.set(alias, tensors.get(name) as Tensor);
  await writeFile(join(directory, `${STEM}.bin`), stateDict(named, typeOf(one.kind)));
}

async function writeConfig(directory: string, { config }: Pick<Case, 'config'>): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}

const STEM = 'diffusion_pytorch_model';

function typeOf(kind: Kind): Type {
  return kind === 'safetensors-f16' ? 'F16' : kind === 'safetensors-bf16' ? 'BF16' : 'F32';
}

/** As `_convert_deprecated_attention_blocks` of diffusers knows them. */
export function oldName(name: string): string {
  return name
    .replace('.to_q.', '.query.')
    .replace('.to_k.', '.key.')
    .replace('.to_v.', '.value.')
    .replace('.to_out.0.', '.proj_attn.');
}

/** A safetensors file: length of the header, header, tensors in the order given. */
export function safetensors(tensors: Map<string, Tensor>, type: Type = 'F32'): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const [name, { data, shape }] of tensors) {
    const part = encode(data as Float32Array, type);
    header[name] = { dtype: type, shape, data_offsets: [end, end + part.length] };
    parts.push(part);
    end += part.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + padded + end).fill(0x20);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(text, 8);
  let offset = 8 + padded;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

async function writeShards(directory: string, tensors: Map<string, Tensor>): Promise<void> {
  const total = [...tensors.values()].reduce((sum, { data }) => sum + 4 * data.length, 0);
  const shards: Map<string, Tensor>[] = [];
  let filled = Infinity;
  for (const [name, tensor] of tensors) {
    if (filled > total / 3) {
      shards.push(new Map());
      filled = 0;
    }
    (shards[shards.length - 1] as Map<string, Tensor>).set(name, tensor);
    filled += 4 * tensor.data.length;
  }
  const weightMap: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const number = (n: number) => String(n).padStart(5, '0');
    const file = `${STEM}-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    for (const name of shard.keys()) weightMap[name] = file;
    await writeFile(join(directory, file), safetensors(shard));
  }
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  await writeFile(join(directory, `${STEM}.safetensors.index.json`), `${JSON.stringify(index, null, 2)}\n`);
}

/** A state dict as torch.save writes it: a zip of uncompressed entries, a pickle and the storages. */
export function stateDict(tensors: Map<string, Tensor>, type: Type = 'F32'): Uint8Array {
  const storage = { F32: 'FloatStorage', F16: 'HalfStorage', BF16: 'BFloat16Storage' }[type];
  const files: [string, Uint8Array][] = [];
  const keys = new Map<Tensor, string>();
  const pickle: string[] = ['\x80\x02ccollections\nOrderedDict\n)R('];
  for (const [name, tensor] of tensors) {
    let key = keys.get(tensor);
    if (key === undefined) {
      key = String(keys.size);
      keys.set(tensor, key);
      files.push([`archive/data/${key}`, encode(tensor.data as Float32Array, type)]);
    }
    const strides = tensor.shape.map((_, i) => sizeOf(tensor.shape.slice(i + 1)));
    // _rebuild_tensor_v2(persistent id ('storage', class, key, 'cpu', length), offset 0, shape, strides, no grad, hooks)
    const id = `(${text('storage')}ctorch\n${storage}\n${text(key)}${text('cpu')}${integer(tensor.data.length)}tQ`;
    const hooks = '\x89ccollections\nOrderedDict\n)R';
    pickle.push(
      text(name),
      'ctorch._utils\n_rebuild_tensor_v2\n(',
      id,
      integer(0),
      tuple(tensor.shape),
      tuple(strides),
    );
    pickle.push(hooks, 'tR');
  }
  pickle.push('u.');
  files.unshift(['archive/data.pkl', Uint8Array.from(pickle.join(''), (c) => c.charCodeAt(0))]);
  files.push(['archive/version', new TextEncoder().encode('3\n')]);
  return zip(files);
}

/** Opcodes of pickle as characters below 256: BINUNICODE, BININT, and MARK ... TUPLE. */
function text(value: string): string {
  return `X${word(value.length)}${value}`;
}

function integer(value: number): string {
  return `J${word(value)}`;
}

function tuple(values: readonly number[]): string {
  return `(${values.map(integer).join('')}t`;
}

function word(value: number): string {
  return String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255);
}

/** Local headers with their data at multiples of 64, as torch has them, central directory, end of it. */
function zip(files: readonly [string, Uint8Array][]): Uint8Array {
  const parts: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  const push = (list: Uint8Array[], bytes: Uint8Array) => {
    list.push(bytes);
    if (list === parts) offset += bytes.length;
  };
  for (const [name, content] of files) {
    const start = offset;
    const padding = (64 - ((offset + 30 + name.length + 4) % 64)) % 64;
    // Version, flags, stored, time and date, CRC, sizes: the same in both headers.
    const common = [20, 0, 0, 0, 0, crc32(content), content.length, content.length];
    const widths = [2, 2, 2, 2, 2, 4, 4, 4];
    push(parts, record([0x04034b50, ...common, name.length, 4 + padding], [4, ...widths, 2, 2]));
    push(parts, new TextEncoder().encode(name));
    push(parts, record([0x4246, padding], [2, 2]));
    push(parts, new Uint8Array(padding));
    push(parts, content);
    const rest = [name.length, 0, 0, 0, 0, 0, start];
    push(central, record([0x02014b50, 20, ...common, ...rest], [4, 2, ...widths, 2, 2, 2, 2, 2, 4, 4]));
    push(central, new TextEncoder().encode(name));
  }
  const directory = Buffer.concat(central);
  const end = [0x06054b50, 0, 0, files.length, files.length, directory.length, offset, 0];
  return Uint8Array.from(Buffer.concat([...parts, directory, record(end, [4, 2, 2, 2, 2, 4, 4, 2])]));
}

function record(values: readonly number[], widths: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(widths.reduce((sum, width) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [i, width] of widths.entries()) {
    if (width === 2) view.setUint16(offset, at(values, i), true);
    else view.setUint32(offset, at(values, i), true);
    offset += width;
  }
  return bytes;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = (crc >>> 8) ^ at(CRC, (crc ^ byte) & 255);
  return ~crc >>> 0;
}

function scale(data: Float32Array, shape: readonly number[], recipe: Recipe): void {
  if (recipe === 'table') return;
  const factor = Math.fround(
    recipe === 'fan' ? 1 / Math.sqrt(sizeOf(shape.slice(1))) : recipe === 'fourier' ? 16 : 0.1,
  );
  // Each store rounds to float32: the product, then the sum.
  for (let i = 0; i < data.length; i++) data[i] = at(data, i) * factor;
  if (recipe === 'norm') for (let i = 0; i < data.length; i++) data[i] = at(data, i) + 1;
}

function encode(data: Float32Array, type: Type): Uint8Array {
  if (type === 'F32') return bytesOf(data);
  const words = Uint16Array.from(data, type === 'F16' ? toHalf : (value) => bitsOf(value) >>> 16);
  return bytesOf(words);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function at(data: ArrayLike<number>, i: number): number {
  return data[i] as number;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

function bitsOf(value: number): number {
  FLOAT[0] = value;
  return at(BITS, 0);
}

/** To the nearest bfloat16, ties to even. */
function roundToBrain(value: number): number {
  const bits = bitsOf(value);
  BITS[0] = ((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000) >>> 0;
  return at(FLOAT, 0);
}

/** To the nearest float16, ties to even; the values here are all below 65504. */
function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const unit = 2 ** (exponent - 10);
  const steps = size / unit;
  const low = Math.floor(steps);
  const up = steps - low > 0.5 || (steps - low === 0.5 && low % 2 === 1) ? 1 : 0;
  // A carry into the exponent adds up by itself; subnormals have exponent field 0 and no hidden bit.
  return sign | ((size < 2 ** -14 ? 0 : (exponent + 14) << 10) + low + up);
}

function fromHalf(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return half & 0x8000 ? -size : size;
}
