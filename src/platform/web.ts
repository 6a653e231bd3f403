// What browsers offer. platform/node.ts is its twin; workerd.ts and edge-light.ts differ from it in little.
import { fetchFile } from './fetch.js';
import type { OnnxRuntime, Platform } from './types.js';

export const platform: Platform = {
  // dist/esm/platform: the package is three levels up.
  embeddedModel: () => new URL('../../../models/fashion-mnist', import.meta.url).href,
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

export const onnxRuntime: OnnxRuntime = () => import('onnxruntime-web/wasm') as never;

export const onnxRuntimeNative: OnnxRuntime = async () => {
  throw new RangeError("device: native devices run in Node only; use 'wasm'");
};

export const onnxRuntimeGpu: OnnxRuntime = () => import('onnxruntime-web/webgpu') as never;
