import type { KernelExports } from './load.js';

type RandnBlocks = KernelExports['randnBlocks'];

/** Blocks of 16 that are tried: one multiply-add that is not fused changes 1 in 100 samples. */
const TRIED = 256;

/**
 * `randnBlocks` of fused.wasm, in the memory of the kernels: 1.7 times as fast where the engine fuses relaxed multiply-adds.
 * It is tried once against the exact one, and only used if every bit agrees.
 * @param state room for a generator. @param out room for 16 * TRIED float32.
 */
export function fusedRandn(
  module: WebAssembly.Module,
  kernels: KernelExports,
  state: number,
  out: number,
): RandnBlocks | undefined {
  const memory = kernels.memory as WebAssembly.Memory;
  const { randnBlocks } = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  const [exact, fused] = [kernels.randnBlocks, randnBlocks].map((draw) => {
    kernels.seed(state, 0);
    draw(state, out, TRIED);
    return new Uint32Array(memory.buffer, out, 16 * TRIED).slice();
  }) as [Uint32Array, Uint32Array];
  return exact.every((bits, i) => bits === fused[i]) ? randnBlocks : undefined;
}
