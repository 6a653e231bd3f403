import module from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import * as ort from 'onnxruntime-web/wasm';

// onnxruntime-web 1.30 takes bytes or an address, and hands them to WebAssembly.instantiate, which workerd refuses. Its
// own glue would take a module (Emscripten's instantiateWasm), but nothing leads there from outside. So it gets an empty
// buffer for bytes, and when it comes to instantiate that very buffer, it gets an instance of the imported module. The
// detour ends there; calls of others pass unchanged in the meantime.

const mark = new ArrayBuffer(0);
let begun = false;

/** onnxruntime, its WebAssembly an imported module. */
export function onnxRuntime(): typeof ort {
  if (begun) return ort;
  begun = true;
  ort.env.wasm.wasmBinary = mark;
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = (async (source: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports) => {
    if (!ArrayBuffer.isView(source) || source.buffer !== mark) return instantiate(source as BufferSource, imports);
    WebAssembly.instantiate = instantiate;
    return { module, instance: await instantiate(module, imports) };
  }) as typeof instantiate;
  return ort;
}
