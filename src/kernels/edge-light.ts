// Vercel's edge runtime, and Next.js for it: as workerd, with another way to write the import.
import module from '../kernels.wasm?module';

export const kernelsModule = (): WebAssembly.Module => module;

/** None: an engine without relaxed SIMD would refuse to be given it. */
export const fusedModule = (): undefined => undefined;
