// Vercel's edge runtime: nothing is compiled from bytes, and code has 1 to 4 MB.
import { edge } from './edge.js';
import type { OnnxRuntime } from './onnxruntime.js';
import type { OpenStore, Platform } from './types.js';

export { onnxRuntimeAdvice, onnxRuntimeGpu, onnxRuntimeNative } from './edge.js';

const refuse = (): never => {
  throw new Error(
    "onnxruntime has 3.7 MB compressed, too much for this runtime: choose the runtime 'nodejs', or a UNet of your own with ddim-wasm/scheduler (docs/edge.md)",
  );
};

export const platform: Platform = { ...edge, embeddedModel: refuse };

export const openStore: OpenStore = async (id) => (await import('./store-web.js')).openStore(id);

export const onnxRuntime: OnnxRuntime = async () => refuse();
