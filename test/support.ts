// What the tests share: fixtures, digests and comparisons. Typed arrays are compared element by element, since Jest runs
// modules in a realm of their own.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensor } from 'ddim-wasm';

/** Path of a fixture. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`./fixtures/${path}`, import.meta.url));
}

export async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(fixture(path), 'utf8')) as T;
}

/** A fixture of little-endian 32-bit words. */
export async function readWords(path: string): Promise<Uint32Array> {
  const bytes = await readFile(fixture(path));
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

export async function readFloats(path: string): Promise<Float32Array> {
  return new Float32Array((await readWords(path)).buffer);
}

export async function readInt16s(path: string): Promise<Int16Array> {
  const bytes = await readFile(fixture(path));
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** SHA-256 of the bytes of a typed array, in hex. */
export function sha256(view: ArrayBufferView): string {
  return createHash('sha256')
    .update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    .digest('hex');
}

/** The bits of floats, every NaN as 0x7fc00000. */
export function bitsOf(values: Float32Array): Uint32Array {
  const words = new Uint32Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength));
  for (let i = 0; i < words.length; i++) if (Number.isNaN(values[i])) words[i] = 0x7fc00000;
  return words;
}

export function floatOf(bits: number): number {
  return new Float32Array(new Uint32Array([bits]).buffer)[0] as number;
}

/** How floats differ from recorded bits: '' when they do not. Says how many, the first, and the largest distance in ULP. */
export function bitDifference(actual: Float32Array, expected: Uint32Array): string {
  if (actual.length !== expected.length) return `length ${actual.length}, not ${expected.length}`;
  const bits = bitsOf(actual);
  let count = 0;
  let first = -1;
  let largest = 0;
  for (let i = 0; i < bits.length; i++) {
    if (bits[i] === expected[i]) continue;
    if (count++ === 0) first = i;
    largest = Math.max(largest, Math.abs(ordered(bits[i] as number) - ordered(expected[i] as number)));
  }
  if (count === 0) return '';
  const [was, is] = [floatOf(expected[first] as number), actual[first]];
  return `${count} of ${bits.length} differ, by up to ${largest} ULP; first [${first}]: ${is}, not ${was}`;
}

function ordered(bits: number): number {
  return bits & 0x80000000 ? -(bits & 0x7fffffff) : bits;
}

/** The largest absolute difference; two NaNs are equal, NaN and a number are infinitely far apart. */
export function maxDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    const [a, b] = [actual[i] as number, expected[i] as number];
    if (Number.isNaN(a) && Number.isNaN(b)) continue;
    const difference = a === b ? 0 : Math.abs(a - b);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}

export function tensor(shape: readonly number[], at: (i: number) => number): Tensor {
  const size = shape.reduce((n, d) => n * d, 1);
  return { data: Float32Array.from({ length: size }, (_, i) => at(i)), shape };
}

export function scaled({ data, shape }: Tensor, factor: number): Tensor {
  return { data: data.map((v) => v * factor), shape };
}

export function numbers(values: ArrayLike<number>): number[] {
  return Array.from(values);
}

/** `numTrainTimesteps` from `num_train_timesteps`, for the keys of one object. */
export function camelKeys(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase()), value]),
  );
}

/** Runs a body with a fresh directory that is removed at the end. */
export async function withDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'ddim-wasm-'));
  try {
    return await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What a call throws or rejects with. */
export async function failure(body: () => unknown): Promise<Error> {
  try {
    await body();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
