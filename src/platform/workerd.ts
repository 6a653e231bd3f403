// workerd (Cloudflare Workers): nothing is compiled from bytes, and there are no files.
import { edge } from './edge.js';
import type { OnnxRuntime } from './onnxruntime.js';
import type { OpenStore, Platform } from './types.js';

export { onnxRuntimeAdvice, onnxRuntimeGpu, onnxRuntimeNative } from './edge.js';

export const platform: Platform = {
  ...edge,
  async embeddedModel() {
    throw new Error(
      'model: expected the files of a model, since a Worker has none of its own; import them as data and give them to fromPretrained (docs/edge.md)',
    );
  },
};

// workerd has a Cache API that throws, forgets or keeps, by where the Worker runs.
export const openStore: OpenStore = async (id) => (await import('./store-web.js')).openStore(id, false);

export const onnxRuntime: OnnxRuntime = async () => (await import('./onnxruntime-workerd.js')).onnxRuntime();
