// workerd compiles no bytes while it runs: an import of a .wasm file is a module, compiled when the Worker was uploaded.
import module from '../kernels.wasm';

export const kernelsModule = (): WebAssembly.Module => module;

/** None: an engine without relaxed SIMD would refuse to be given it. */
export const fusedModule = (): undefined => undefined;
