// The node half of sweep.py: reads generators' words (624 u32 each), draws 608 normals from the 17th word on, writes them.
//
//   node sweep.mjs kernels.wasm [fused.wasm]
import { readFileSync, readSync, writeSync } from 'node:fs';

const SKIP = 16;
const BLOCKS = 38;

const [kernels, fused] = process.argv.slice(2).map((file) => new WebAssembly.Module(readFileSync(file)));
const { memory, heapBase, ...exact } = new WebAssembly.Instance(kernels).exports;
const { randnBlocks } = fused ? new WebAssembly.Instance(fused, { env: { memory } }).exports : exact;
const state = (heapBase() + 15) & ~15;
const out = state + 16 + 2 * 2496;
memory.grow(1);
const header = new Uint32Array(memory.buffer, state, 2);
const words = new Uint8Array(memory.buffer, state + 16, 2496);
const normals = new Uint8Array(memory.buffer, out, BLOCKS * 16 * 4);

for (;;) {
  let filled = 0;
  while (filled < words.length) {
    const count = readSync(0, words, filled, words.length - filled, null);
    if (count === 0) process.exit(filled === 0 ? 0 : 1);
    filled += count;
  }
  header.set([SKIP, 0]);
  randnBlocks(state, out, BLOCKS);
  for (let sent = 0; sent < normals.length; ) sent += writeSync(1, normals, sent);
}
