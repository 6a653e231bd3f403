// Vercel's edge runtime, and Next.js for it: as workerd, with another way to write the import.
import module from '../kernels.wasm?module';

export const kernelsModule = (): WebAssembly.Module => module;
