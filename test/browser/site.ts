// What the browser tests share: a folder of static files on loopback, a page bundled as its author would, and Chromium.
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

export interface Site {
  /** Its address, with a slash at the end. */
  readonly url: string;
  close(): void;
}

/** Serves a folder of static files below a path, with no headers but the type unless some are given. */
export async function serveFolder(
  folder: string,
  base = '/',
  headers: Readonly<Record<string, string>> = {},
): Promise<Site> {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = join(folder, pathname.slice(base.length) || 'index.html');
    const bytes = pathname.startsWith(base) ? await readFile(path).catch(() => undefined) : undefined;
    const type = { 'content-type': TYPES[extname(path)] ?? 'text/plain' };
    response.writeHead(bytes ? 200 : 404, { ...headers, ...type }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${base}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Bundles a script and the worker, and puts a page that runs it, and the named files of onnxruntime-web, beside them. */
export async function bundlePage(
  directory: string,
  entry: string,
  runtimes = ['ort-wasm-simd-threaded.wasm'],
): Promise<void> {
  await build({
    entryPoints: { page: join(root, entry), 'ddim-wasm-worker': join(root, 'dist/esm/workers/ddim-wasm-worker.js') },
    outdir: directory,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['browser'],
    // The package's own imports, not the paths of tsconfig.json.
    tsconfigRaw: '{}',
    alias: { 'ddim-wasm/webgpu': join(root, 'dist/esm/webgpu.js'), 'ddim-wasm': join(root, 'dist/esm/index.js') },
    logLevel: 'error',
  });
  for (const name of runtimes) {
    await copyFile(join(root, 'node_modules/onnxruntime-web/dist', name), join(directory, name));
  }
  await writeFile(join(directory, 'index.html'), '<!doctype html><script type="module" src="page.js"></script>');
}

export const openChromium = (...flags: string[]): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-sync', ...flags],
  });
