// Real workerd, which compiles no bytes: a Worker of noise and scheduler against the recordings, and the example, whose
// pictures are those of Node. Run by `npm run edge`.
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DDIMPipeline, Generator } from 'ddim-wasm';
import { build } from 'esbuild';
import { decode } from 'fast-png';
import { sha256, withDirectory } from '../support.ts';
import { compute } from './numbers.ts';
import { differences, work } from './recorded.ts';
import { example, root, type Served, serve } from './workerd.ts';

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
  services = [(name = "main", worker = .main)],
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

/** What a Worker answers to the work of numbers.ts. */
const ask = (contents: string, conditions: string[]) =>
  withDirectory(async (directory) => {
    const served = await serve(await bundle(directory, contents, conditions));
    try {
      const response = await fetch(served.url, { method: 'POST', body: JSON.stringify(work) });
      return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
    } finally {
      await served.close();
    }
  });

describe('noise and scheduler', () => {
  const COMPUTE = `import { compute } from './numbers.ts';
    const answer = async (request) => new Response(compute(await request.json()).buffer);
    const refuse = ({ message }) => new Response(message, { status: 500 });
    export default { fetch: (request) => answer(request).catch(refuse) };`;

  test('the bits of torch, and of Node', async () => {
    const { body } = await ask(COMPUTE, ['workerd']);
    const all = new Float32Array(body.buffer, body.byteOffset, body.length / 4);
    expect(differences(all)).toEqual([]);
    expect(sha256(all)).toBe(sha256(compute(work)));
  });

  test('without the condition workerd there is an error: bytes are not compiled here', async () => {
    const { status, body } = await ask(COMPUTE, ['browser']);
    expect([status, body.toString()]).toEqual([500, expect.stringContaining('disallowed by embedder')]);
  });
});

test('fromPretrained() says that there is no embedded model', async () => {
  const { body } = await ask(
    `import { DDIMPipeline } from 'ddim-wasm';
    const load = () => DDIMPipeline.fromPretrained().then(() => 'loaded', (error) => error.message);
    export default { fetch: async () => new Response(await load()) };`,
    ['workerd'],
  );
  expect(body.toString()).toMatch(/^model: expected the files of a model.*docs\/edge\.md/);
});

describe('the example', () => {
  let served: Served;
  let pipe: DDIMPipeline;
  beforeAll(async () => {
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: example, stdio: ['ignore', 'inherit', 'inherit'] });
    served = await serve(join(example, 'workerd.capnp'));
    pipe = await DDIMPipeline.fromPretrained();
  });
  afterAll(async () => {
    await served?.close();
    await pipe?.dispose();
  });

  const get = (path: string) => fetch(served.url + path);
  const pixels = async (path: string) => {
    const response = await get(path);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/png']);
    const { data, width, height, channels } = decode(new Uint8Array(await response.arrayBuffer()));
    expect([width, height, channels]).toEqual([32, 32, 1]);
    return sha256(data);
  };
  const inNode = async (seed: bigint, numInferenceSteps: number) => {
    const { images } = await pipe.generate({ generator: new Generator(seed), numInferenceSteps });
    return sha256((images[0] as (typeof images)[number]).data);
  };

  test.each([
    ['/image?seed=7', 7n, 20],
    ['/image', 0n, 20],
    ['/image?seed=18446744073709551615&steps=3', 18446744073709551615n, 3],
    ['/image?steps=50&seed=1', 1n, 50],
  ] as const)('%s: the pixels of Node', async (path, seed, steps) => {
    expect(await pixels(path)).toBe(await inNode(seed, steps));
  });

  test('requests side by side do not disturb each other', async () => {
    const seeds = [11n, 12n, 13n, 14n];
    const together = await Promise.all(seeds.map((seed) => pixels(`/image?seed=${seed}&steps=4`)));
    const alone: string[] = [];
    for (const seed of seeds) alone.push(await inNode(seed, 4));
    expect(together).toEqual(alone);
  });

  test.each([
    ['/image?seed=x', 'seed: expected an integer in 0..18446744073709551615, got "x"\n'],
    ['/image?seed=-1', 'seed: expected an integer in 0..18446744073709551615, got "-1"\n'],
    ['/image?seed=', 'seed: expected an integer in 0..18446744073709551615, got ""\n'],
    ['/image?steps=0', 'steps: expected an integer in 1..1000, got "0"\n'],
    ['/image?steps=1001', 'steps: expected an integer in 1..1000, got "1001"\n'],
    ['/image?steps=1.5', 'steps: expected an integer in 1..1000, got "1.5"\n'],
  ])('%s: 400, and what is wrong', async (path, text) => {
    const response = await get(path);
    expect([response.status, await response.text()]).toEqual([400, text]);
  });

  test('another path: 404', async () => {
    expect((await get('/')).status).toBe(404);
  });
});
