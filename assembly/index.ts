// The ABI. Every function works on the addresses it is given and keeps no state between calls; src/kernels owns the layout of the memory.
export { seed } from './mt19937';
export { rand } from './uniform';
export { alphas, cosineBetas, linspace, rescaleZeroTerminalSnr, square } from './schedule';
export { accumulate, combine, predict, rederive, step } from './ddim';
export { countMagnitudes, threshold } from './threshold';
export { toBytes, toUnit } from './image';
export { randnBlocks, randnSerial, skip } from './normal';

/** First address that WebAssembly leaves to TypeScript. */
export function heapBase(): usize {
  return __heap_base;
}
