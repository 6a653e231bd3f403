// What browsers offer. platform/node.ts is its twin.

import type { OnnxRuntime, OnnxRuntimeAdvice } from './onnxruntime.js';
import { settings } from './settings.js';
import type { OpenStore, Platform } from './types.js';
import { webAndEdge } from './web-and-edge.js';

export { onnxRuntimeNative } from './web-and-edge.js';

export const platform: Platform = {
  ...webAndEdge,
  embeddedModel: async () => (await import('./assets-web.js')).embeddedModel(),
  configure: (given) => void Object.assign(settings, given),
  async webGpuMissing() {
    if (!settings.webgpu) {
      throw new RangeError(
        "device: 'webgpu' needs configure({ webgpu }) with `webgpu` of 'ddim-wasm/webgpu'; call it first",
      );
    }
    const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<object | null> } };
    if (!gpu) return 'this browser has no WebGPU, or none on a page without https';
    const adapter = await gpu.requestAdapter().catch(() => null);
    return adapter ? undefined : 'WebGPU finds no graphics adapter here';
  },
  turn: () =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    }),
};

export const openStore: OpenStore = async (id) => (await import('./store-web.js')).openStore(id);

export const onnxRuntime: OnnxRuntime = async () => (await import('./assets-web.js')).onnxRuntime();

export const onnxRuntimeAdvice: OnnxRuntimeAdvice = async () => (await import('./assets-web.js')).onnxRuntimeAdvice;

export const onnxRuntimeGpu: OnnxRuntime = async () => (await import('./assets-web.js')).onnxRuntimeGpu();
