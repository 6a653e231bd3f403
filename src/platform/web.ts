// What browsers offer. platform/node.ts is its twin; workerd.ts and edge-light.ts differ from it in little.
import { fetchFile } from './fetch.js';
import type { OnnxRuntime, OnnxRuntimeAdvice } from './onnxruntime.js';
import { settings } from './settings.js';
import type { Platform } from './types.js';

export const platform: Platform = {
  embeddedModel: async () => (await import('./assets-web.js')).embeddedModel(),
  configure: (given) => void Object.assign(settings, given),
  readFile: (path) => fetchFile(path),
  isFile: async (path) => (await fetch(path, { method: 'HEAD' })).ok,
  isDirectory: async () => false,
  env: () => undefined,
  savedToken: async () => undefined,
  openStore: async (id) => (await import('./store-web.js')).openStore(id),
  downloadBar: async () => () => {},
  async writeFile(path) {
    throw new Error(`${path}: there is no file system here; use toBlob() or toPNG() and offer a download`);
  },
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
  progressBar: async () => () => {},
};

export const onnxRuntime: OnnxRuntime = async () => (await import('./assets-web.js')).onnxRuntime();

export const onnxRuntimeAdvice: OnnxRuntimeAdvice = async () => (await import('./assets-web.js')).onnxRuntimeAdvice;

export const onnxRuntimeNative: OnnxRuntime = async () => {
  throw new RangeError("device: native devices run in Node only; use 'wasm'");
};

export const onnxRuntimeGpu: OnnxRuntime = async () => (await import('./assets-web.js')).onnxRuntimeGpu();
