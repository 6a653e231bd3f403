// kernels.wasm with room for whole arrays, and the bound it is held to.
import { readFileSync } from 'node:fs';

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

const [i32, end] = [0x7f, 0x0b];
const [END, X, Y, OUT] = [0, 1, 2, 3];
const get = (local) => [0x20, local];
const load = (local, offset) => [...get(local), 0xfd, 0x00, 4, offset];
const add = (local) => [...get(local), 0x41, 0xc0, 0x00, 0x6a]; // local + 64
/** f32x4 out[offset] = x[offset] + y[offset]. */
const sum = (offset) => [...get(OUT), ...load(X, offset), ...load(Y, offset), 0xfd, 0xe4, 0x01, 0xfd, 0x0b, 4, offset];
const sized = (...bytes) => [(bytes.length & 0x7f) | 0x80, bytes.length >> 7, ...bytes]; // LEB128 in two bytes
const section = (id, ...bytes) => [id, ...sized(...bytes)];
const body = [
  ...[0], // no locals
  ...[...get(X), ...get(END), 0x6a, 0x21, END], // end = x + bytes
  ...[0x03, 0x40], // loop
  ...[0, 16, 32, 48].flatMap(sum),
  ...[...add(OUT), 0x21, OUT, ...add(Y), 0x21, Y],
  ...[...add(X), 0x22, X, ...get(END), 0x49, 0x0d, 0], // if ((x += 64) < end) continue
  ...[end, end],
];

/**
 * The memory bound: `bound(bytes, x, y, out)` is out = x + y by 64 bytes at a time, the least that anything does that
 * reads two arrays and writes one.
 */
export function memoryBound(memory) {
  const module = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, 4, i32, i32, i32, i32, 0), // (i32, i32, i32, i32) -> ()
    ...section(2, 1, 0, 1, 0x6d, 0x02, 0x00, 1), // import "" "m": memory of 1 page or more
    ...section(3, 1, 0),
    ...section(7, 1, 1, 0x66, 0x00, 0), // export "f"
    ...section(10, 1, ...sized(...body)),
  ]);
  return new WebAssembly.Instance(new WebAssembly.Module(module), { '': { m: memory } }).exports.f;
}
