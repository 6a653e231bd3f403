// The child of fused.test.ts, in a Node with relaxed SIMD: whether fused.wasm is used, and whether it still is with one bit
// of a coefficient changed.
//
//     node fused.mjs MODULE        MODULE is src/kernels/fused.ts, bundled
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const { fusedRandn } = await import(pathToFileURL(process.argv[2]).href);
const read = (name) => readFileSync(new URL(`../../build/${name}.wasm`, import.meta.url));
const kernelsModule = new WebAssembly.Module(read('kernels'));

function used(bytes) {
  const kernels = new WebAssembly.Instance(kernelsModule).exports;
  kernels.memory.grow(1);
  const state = (kernels.heapBase() + 15) & ~15;
  return fusedRandn(new WebAssembly.Module(bytes), kernels, state, state + 4096) !== undefined;
}

const fused = read('fused');
// The last ones of the logarithm, the cosine and the sine.
const spoilt = [3.3333331174e-1, 4.166664568298827e-2, -1.6666654611e-1].map((coefficient) => {
  const bytes = Buffer.from(fused);
  const at = bytes.indexOf(Buffer.from(new Float32Array([coefficient]).buffer));
  if (at < 0) throw new Error(`${coefficient} is not in fused.wasm`);
  bytes[at] ^= 0x01;
  return used(bytes);
});
console.log(JSON.stringify({ used: used(fused), spoilt }));
