import { fusedRandn } from './fused.js';
import { fused, instantiate, type KernelExports } from './load.js';

// The memory of the kernels, laid out once and never grown, so that no view is ever detached:
//
//   0                      fused.wasm's own: 1 KiB that kernels.wasm leaves free (asconfig.json)
//   heapBase, 16-aligned   state   one generator: 2,512 bytes kept, 144 of scratch (assembly/mt19937.ts)
//                          counts  2,048 u32: the histogram of dynamic thresholding
//                          a .. e  five buffers of CHUNK float32
//
// Arrays of any length stream through the buffers a chunk at a time. A chunk of each buffer that a step needs fits in
// the second-level cache, so memory sees each array once: the copies in and out are the only traffic.

/** Elements of a buffer. A multiple of 16, so that blocks of normals never straddle two chunks. */
export const CHUNK = 16384;
/** Bytes of a generator that outlive a call. */
export const STATE_BYTES = 2512;
const STATE_SCRATCH_BYTES = 144;
const COUNTS = 2048;

/** The kernels with views on their memory. `pointers` and `buffers` share indices. */
export interface Arena extends KernelExports {
  state: number;
  counts: number;
  stateBytes: Uint8Array;
  countsView: Uint32Array;
  pointers: readonly number[];
  buffers: readonly Float32Array[];
  bytes: Uint8Array;
}

let arena: Arena | undefined;

/** The one arena of this thread, made on first use. */
export function kernels(): Arena {
  if (arena) return arena;
  const wasm = instantiate();
  const state = (wasm.heapBase() + 15) & ~15;
  const counts = state + STATE_BYTES + STATE_SCRATCH_BYTES;
  const first = counts + COUNTS * 4;
  const pointers = [0, 1, 2, 3, 4].map((i) => first + i * CHUNK * 4);
  const pages = Math.ceil((first + pointers.length * CHUNK * 4) / 65536);
  const missing = pages - wasm.memory.buffer.byteLength / 65536;
  if (missing > 0) wasm.memory.grow(missing);
  const { buffer } = wasm.memory;
  const module = fused();
  const randnBlocks = module && fusedRandn(module, wasm, state, pointers[0] as number);
  arena = {
    ...wasm,
    ...(randnBlocks && { randnBlocks }),
    state,
    counts,
    stateBytes: new Uint8Array(buffer, state, STATE_BYTES),
    countsView: new Uint32Array(buffer, counts, COUNTS),
    pointers,
    buffers: pointers.map((p) => new Float32Array(buffer, p, CHUNK)),
    bytes: new Uint8Array(buffer),
  };
  return arena;
}

/** Calls `body(start, count)` for each chunk of `n` elements. */
export function eachChunk(n: number, body: (start: number, count: number) => void): void {
  for (let start = 0; start < n; start += CHUNK) body(start, Math.min(CHUNK, n - start));
}
