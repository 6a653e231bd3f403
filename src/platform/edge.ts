// What edge runtimes share.
import { fetching } from './fetching.js';
import type { OnnxRuntime, OnnxRuntimeAdvice } from './onnxruntime.js';
import type { Platform } from './types.js';

export { onnxRuntimeNative } from './fetching.js';

const noWebGpu = async (): Promise<never> => {
  throw new RangeError("device: 'webgpu' runs in browsers only; use 'wasm'");
};

export const edge = {
  ...fetching,
  configure: () => {},
  webGpuMissing: noWebGpu,
  // MessageChannel is younger than many compatibility dates of workerd.
  turn: () => new Promise((resolve) => setTimeout(resolve, 0)),
} satisfies Partial<Platform>;

export const onnxRuntimeGpu: OnnxRuntime = noWebGpu;

export const onnxRuntimeAdvice: OnnxRuntimeAdvice = async () => 'see docs/edge.md';
