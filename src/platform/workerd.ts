// workerd (Cloudflare Workers): the web, but nothing is compiled from bytes, and there are no files.
import type { OnnxRuntime } from './onnxruntime.js';
import type { Platform } from './types.js';
import { platform as web } from './web.js';

export { onnxRuntimeAdvice, onnxRuntimeNative } from './web.js';

export const platform: Platform = {
  ...web,
  async embeddedModel() {
    throw new Error(
      'model: expected the files of a model, since a Worker has none of its own; import them as data and give them to fromPretrained (docs/edge.md)',
    );
  },
  // workerd has a Cache API that throws, forgets or keeps, by where the Worker runs.
  openStore: async (id) => (await import('./store-web.js')).openStore(id, false),
  // MessageChannel is younger than many compatibility dates.
  turn: () => new Promise((resolve) => setTimeout(resolve, 0)),
};

export const onnxRuntime: OnnxRuntime = async () => (await import('./onnxruntime-workerd.js')).onnxRuntime();

export const onnxRuntimeGpu: OnnxRuntime = async () => {
  throw new RangeError("device: 'webgpu' runs in browsers only; use 'wasm'");
};
