// What Node (and Deno and Bun, through their Node layer) offer. platform/web.ts is its twin.
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkBytes } from '../check.js';
import type { OnnxRuntime, OnnxRuntimeAdvice } from './onnxruntime.js';
import type { OpenStore, Platform, ProgressBarConfig, Tick } from './types.js';

declare const __dirname: string;

// dist/esm/platform or dist/cjs/platform: the package is three levels up.
// CommonJS has no import.meta.url; `node -e` and Bun have a __dirname in ES modules too.
const here = import.meta.url ? dirname(fileURLToPath(import.meta.url)) : __dirname;

async function progressBar(total: number, config: ProgressBarConfig): Promise<Tick> {
  if (!process.stderr.isTTY) return () => {};
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    format: `${config.desc ? `${config.desc} ` : ''}[{bar}] {percentage}% {value}/{total} {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: config.leave === false,
  });
  bar.start(total, 0);
  return (done, finished) => {
    bar.update(done);
    if (finished) bar.stop();
  };
}

async function downloadBar(name: string): Promise<(loaded: number, total: number) => void> {
  if (!process.stderr.isTTY) return () => {};
  const { default: cliProgress } = await import('cli-progress');
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  const bar = new cliProgress.SingleBar({
    format: `${name} [{bar}] {percentage}% {done}/{all} MB {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
  });
  return (loaded, total) => {
    if (!bar.isActive) bar.start(total, 0, { done: '0', all: megabytes(total) });
    bar.setTotal(total);
    bar.update(loaded, { done: megabytes(loaded), all: megabytes(total) });
    if (loaded === total) bar.stop();
  };
}

async function noWebGpu(): Promise<never> {
  throw new RangeError("device: 'webgpu' runs in browsers only; use 'wasm', or 'cpu' with onnxruntime-node");
}

export const platform: Platform = {
  embeddedModel: async () => join(here, '../../../models/fashion-mnist'),
  // A page's module may run on a server first: what it configures is for the page.
  configure: () => {},

  async readFile(path, limit) {
    try {
      checkBytes((await stat(path)).size, limit);
      return await readFile(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new Error(`${path}: cannot be read (${(error as Error).message})`, { cause: error });
    }
  },

  isFile: async (path) => (await stat(path).catch(() => undefined))?.isFile() ?? false,
  isDirectory: async (path) => (await stat(path).catch(() => undefined))?.isDirectory() ?? false,
  env: (name) => process.env[name] || undefined,
  savedToken: async () => (await import('./store-node.js')).savedToken(),
  downloadBar,

  async writeFile(path, content) {
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(temporary, content);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw new Error(`${path}: cannot be written (${(error as Error).message})`, { cause: error });
    }
  },

  webGpuMissing: noWebGpu,

  async onnxRuntimeWasm() {
    try {
      return await readFile(createRequire(join(here, 'x.js')).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
    } catch {
      return undefined; // onnxruntime looks for itself, and tells what is missing.
    }
  },

  turn: () => new Promise((resolve) => setImmediate(resolve)),

  progressBar,
};

export const openStore: OpenStore = async (id, cacheDir) => (await import('./store-node.js')).openStore(id, cacheDir);

export const onnxRuntimeAdvice: OnnxRuntimeAdvice = async () => 'install onnxruntime-web again';

export const onnxRuntime: OnnxRuntime = () => import('onnxruntime-web');

export const onnxRuntimeNative: OnnxRuntime = async () => {
  try {
    return (await import('onnxruntime-node')) as never;
  } catch (cause) {
    throw new Error(
      "device: this one needs the optional package onnxruntime-node; run 'npm install onnxruntime-node', or use 'wasm'",
      { cause },
    );
  }
};

export const onnxRuntimeGpu: OnnxRuntime = noWebGpu;
