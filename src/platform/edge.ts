// What edge runtimes share.

import type { OnnxRuntime, OnnxRuntimeAdvice } from './onnxruntime.js';
import type { Platform } from './types.js';
import { webAndEdge } from './web-and-edge.js';

export { onnxRuntimeNative } from './web-and-edge.js';

const noWebGpu = async (): Promise<never> => {
  throw new RangeError("device: 'webgpu' runs in browsers only; use 'wasm'");
};

export const edge = {
  ...webAndEdge,
  configure: () => {},
  webGpuMissing: noWebGpu,
  // MessageChannel is younger than many compatibility dates of workerd.
  turn: () => new Promise((resolve) => setTimeout(resolve, 0)),
} satisfies Partial<Platform>;

export const onnxRuntimeGpu: OnnxRuntime = noWebGpu;

export const onnxRuntimeAdvice: OnnxRuntimeAdvice = async () => 'see docs/edge.md';
