// Vercel's edge runtime: the web, but nothing is compiled from bytes, and code has 1 to 4 MB.
import type { OnnxRuntime } from './onnxruntime.js';
import type { Platform } from './types.js';
import { platform as web } from './web.js';

export { onnxRuntimeAdvice, onnxRuntimeNative } from './web.js';

const refuse = (): never => {
  throw new Error(
    "onnxruntime has 3.7 MB compressed, too much for this runtime: choose the runtime 'nodejs', or a UNet of your own with ddim-wasm/scheduler (docs/edge.md)",
  );
};

export const platform: Platform = {
  ...web,
  embeddedModel: refuse,
  turn: () => new Promise((resolve) => setTimeout(resolve, 0)),
};

export const onnxRuntime: OnnxRuntime = async () => refuse();

export const onnxRuntimeGpu: OnnxRuntime = async () => {
  throw new RangeError("device: 'webgpu' runs in browsers only; use 'wasm'");
};
