import { fetchFile } from './fetch.js';
import type { OnnxRuntime } from './onnxruntime.js';
import type { Platform } from './types.js';

/** What browsers and edge runtimes share: files come over HTTP, and there are no disk, environment and terminal. */
export const webAndEdge = {
  readFile: (path, limit) => fetchFile(path, { limit }),
  isFile: async (path) => (await fetch(path, { method: 'HEAD' })).ok,
  isDirectory: async () => false,
  env: () => undefined,
  savedToken: async () => undefined,
  downloadBar: async () => () => {},
  async writeFile(path) {
    throw new Error(`${path}: there is no file system here; use toBlob() or toPNG() and offer a download`);
  },
  progressBar: async () => () => {},
} satisfies Partial<Platform>;

export const onnxRuntimeNative: OnnxRuntime = async () => {
  throw new RangeError("device: native devices run in Node only; use 'wasm'");
};
