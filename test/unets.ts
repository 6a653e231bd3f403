// The drawn UNets of fixtures/unets: their weights, drawn again, written as the checkpoints that diffusers would save.
// fixtures/unets/record.py says how they are drawn.
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Generator, type Tensor } from 'ddim-wasm';
import { readFloats, readJson } from './support.ts';

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
export function inputs(one: Case, run: Run): { sample: Tensor; timestep: number; classLabels?: number[] | Tensor } {
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
export async function writeCheckpoint(directory: string, one: Case, tensors = drawWeights(one)): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'config.json'), `${JSON.stringify(one.config, null, 2)}\n`);
  const stem = 'diffusion_pytorch_model';
  if (one.kind === 'sharded') {
    await writeShards(directory, stem, tensors);
  } else if (one.kind === 'old-names') {
    const renamed = new Map([...tensors].map(([name, tensor]) => [oldName(name), tensor]));
    for (const [alias, name] of Object.entries(one.aliases)) renamed.set(alias, tensors.get(name) as Tensor);
    await writeFile(join(directory, `${stem}.safetensors`), safetensors(renamed));
  } else {
    const type = one.kind === 'safetensors-f16' ? 'F16' : one.kind === 'safetensors-bf16' ? 'BF16' : 'F32';
    await writeFile(join(directory, `${stem}.safetensors`), safetensors(tensors, type));
  }
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
export function safetensors(tensors: Map<string, Tensor>, type: 'F32' | 'F16' | 'BF16' = 'F32'): Uint8Array {
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

async function writeShards(directory: string, stem: string, tensors: Map<string, Tensor>): Promise<void> {
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
    const file = `${stem}-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    for (const name of shard.keys()) weightMap[name] = file;
    await writeFile(join(directory, file), safetensors(shard));
  }
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  await writeFile(join(directory, `${stem}.safetensors.index.json`), `${JSON.stringify(index, null, 2)}\n`);
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

function encode(data: Float32Array, type: 'F32' | 'F16' | 'BF16'): Uint8Array {
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
