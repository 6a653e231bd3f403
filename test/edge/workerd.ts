// Starts workerd, from the packages of examples/edge, on a free port of loopback.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { withDirectory } from '../support.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const example = `${root}examples/edge`;

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** @param config a .capnp file with a socket called http. */
export async function serve(config: string): Promise<Served> {
  const { default: binary } = createRequire(`${example}/package.json`)('workerd') as { default: string };
  const child = spawn(binary, ['serve', '--socket-addr=http=127.0.0.1:0', '--control-fd=3', config], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  const ended = once(child, 'exit');
  const control = child.stdio[3] as NodeJS.ReadableStream;
  const [line] = (await Promise.race([once(control, 'data'), ended])) as [unknown];
  const { port } = JSON.parse(String(line)) as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Bundles a Worker; returns its configuration, with the .wasm files that it imports. */
async function bundle(directory: string, contents: string, conditions: string[]): Promise<string> {
  await build({
    stdin: { contents, resolveDir: join(root, 'test/edge'), loader: 'ts' },
    outfile: join(directory, 'worker.js'),
    bundle: true,
    format: 'esm',
    conditions,
    loader: { '.wasm': 'copy' },
    assetNames: '[name]',
    // The package's own imports, not the paths of tsconfig.json.
    tsconfigRaw: '{}',
    alias: {
      'ddim-wasm/scheduler': join(root, 'dist/esm/scheduler-entry.js'),
      'ddim-wasm': join(root, 'dist/esm/index.js'),
    },
    logLevel: 'error',
  });
  const wasm = (await readdir(directory)).filter((name) => name.endsWith('.wasm'));
  const config = join(directory, 'config.capnp');
  await writeFile(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "internet", network = (allow = ["private"]))],
  sockets = [(name = "http", http = (), service = "main")],
);
const main :Workerd.Worker = (
  compatibilityDate = "2025-01-01",
  modules = [
    (name = "worker", esModule = embed "worker.js"),
    ${wasm.map((name) => `(name = "./${name}", wasm = embed "${name}"),`).join('')}
  ],
);
`,
  );
  return config;
}

/** What a Worker answers to something posted, bundled with these conditions. */
export const ask = (contents: string, conditions: string[], posted: unknown) =>
  withDirectory(async (directory) => {
    const served = await serve(await bundle(directory, contents, conditions));
    try {
      const response = await fetch(served.url, { method: 'POST', body: JSON.stringify(posted) });
      return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
    } finally {
      await served.close();
    }
  });

/** A Worker that answers what the function `answer` gives. */
export const worker = (code: string) => `${code}
  const refuse = ({ message }) => new Response(message, { status: 500 });
  export default { fetch: async (request) => answer(await request.json()).then((data) => new Response(data), refuse) };`;
