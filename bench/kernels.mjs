// kernels.wasm with room for whole arrays, and the bound it is held to.
import { readFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';

export const kernelBytes = readFileSync(new URL('../build/kernels.wasm', import.meta.url));

/** Bytes of a generator with its scratch: assembly/mt19937.ts. */
export const STATE_BYTES = 2656;

/** The kernels, with `reserve` in place of an arena: reserve(bytes) gives an address aligned to 64. */
export function instantiate() {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(kernelBytes));
  const { memory } = exports;
  let top = exports.heapBase();
  const reserve = (bytes) => {
    const address = (top + 63) & ~63;
    top = address + bytes;
    const missing = Math.ceil((top - memory.buffer.byteLength) / 65536);
    if (missing > 0) memory.grow(missing);
    return address;
  };
  return { ...exports, reserve };
}

/** randnBlocks by relaxed SIMD, in the memory of the kernels; undefined where the engine has none (Node before 22). */
export function fusedRandn({ memory }) {
  const bytes = readFileSync(new URL('../build/fused.wasm', import.meta.url));
  if (!WebAssembly.validate(bytes)) return undefined;
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports.randnBlocks;
}

/**
 * The memory bound, the least that anything does which reads two arrays and writes one: `endToEnd(bytes, x, y, out)` and
 * `inPlaces` of bound.ts, in the memory of the kernels.
 */
export async function memoryBound(memory) {
  const source = readFileSync(new URL('bound.ts', import.meta.url), 'utf8');
  const options = { optimizeLevel: 3, runtime: 'stub', importMemory: true, enable: 'simd', use: 'abort=' };
  const { error, stderr, binary } = await asc.compileString(source, options);
  if (error) throw new Error(stderr.toString());
  return new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } }).exports;
}
