// workerd compiles no bytes while it runs: an import of a .wasm file is a module, compiled when the Worker was uploaded.
import module from '../kernels.wasm';

export const kernelsModule = (): WebAssembly.Module => module;
