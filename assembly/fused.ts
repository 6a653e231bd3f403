// fused.wasm: randnBlocks of kernels.wasm for engines with relaxed SIMD that fuse, in the same memory.
import { BATCH, normals } from './box-muller-fused';
import { ready, take } from './mt19937';

/** `blocks` times 16 normals, 16 fresh words each. */
export function randnBlocks(state: usize, out: usize, blocks: u32): void {
  while (blocks) {
    const batch = ready(state, min(blocks, BATCH));
    normals(take(state, 16 * batch), out, batch);
    out += 64 * batch;
    blocks -= batch;
  }
}
