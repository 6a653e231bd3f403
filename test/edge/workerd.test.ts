// Real workerd, which compiles no bytes: a Worker of noise and scheduler against the recordings, and the example, whose
// pictures are those of Node. Run by `npm run edge`.
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DDIMPipeline, Generator, UNet2DModel } from 'ddim-wasm';
import { decode } from 'fast-png';
import { startHub } from '../hub/server.ts';
import { fixture, sha256 } from '../support.ts';
import { compute } from './numbers.ts';
import { differences, work } from './recorded.ts';
import { ask, example, type Served, serve, worker } from './workerd.ts';

describe('noise and scheduler', () => {
  const COMPUTE = worker(`import { compute } from './numbers.ts';
    const answer = async (work) => compute(work).buffer;`);

  test('the bits of torch, and of Node', async () => {
    const { body } = await ask(COMPUTE, ['workerd'], work);
    const all = new Float32Array(body.buffer, body.byteOffset, body.length / 4);
    expect(differences(all)).toEqual([]);
    expect(sha256(all)).toBe(sha256(compute(work)));
  });

  test('without the condition workerd there is an error: bytes are not compiled here', async () => {
    const { status, body } = await ask(COMPUTE, ['browser'], work);
    expect([status, body.toString()]).toEqual([500, expect.stringContaining('disallowed by embedder')]);
  });
});

test('fromPretrained() says that there is no embedded model', async () => {
  const { status, body } = await ask(
    worker(`import { DDIMPipeline } from 'ddim-wasm';
      const answer = () => DDIMPipeline.fromPretrained();`),
    ['workerd'],
    {},
  );
  expect([status, body.toString()]).toEqual([
    500,
    expect.stringMatching(/^model: expected the files of a model.*docs\/edge\.md/),
  ]);
});

test('a model of the Hub, not cached: the bits of Node', async () => {
  const directory = fixture('checkpoints/safetensors');
  const names = ['config.json', 'diffusion_pytorch_model.safetensors'];
  const contents = await Promise.all(names.map((name) => readFile(join(directory, name))));
  const files = Object.fromEntries(names.map((name, i) => [name, contents[i] as Buffer]));
  const hub = await startHub({ 'owner/small': { commit: 'a'.repeat(40), files, large: [names[1] as string] } });
  const unet = await UNet2DModel.fromPretrained(directory);
  try {
    const { status, body } = await ask(
      worker(`import { Generator, UNet2DModel } from 'ddim-wasm';
        const { instantiate } = WebAssembly;
        async function answer({ endpoint }) {
          const unet = await UNet2DModel.fromPretrained('owner/small', { endpoint });
          if (WebAssembly.instantiate !== instantiate) throw new Error('a global function is not what it was');
          return (await unet.forward(new Generator(1).randn([2, 3, 8, 8]), 500)).sample.data;
        }`),
      ['workerd'],
      { endpoint: hub.endpoint },
    );
    const { sample } = await unet.forward(new Generator(1).randn([2, 3, 8, 8]), 500);
    expect(status === 200 ? sha256(body) : body.toString()).toBe(sha256(sample.data));
  } finally {
    await unet.dispose();
    await hub.close();
  }
});

test('a scheduler of the Hub, by the small entry', async () => {
  const config = { _class_name: 'DDIMScheduler', num_train_timesteps: 77 };
  const files = { 'scheduler/scheduler_config.json': Buffer.from(JSON.stringify(config)) };
  const repository = { commit: 'a'.repeat(40), files, large: [] };
  const hub = await startHub({ 'owner/open': repository, 'owner/closed': { ...repository, token: 'hf_it' } });
  const load = async (model: string, options: object) => {
    const { body } = await ask(
      worker(`import { DDIMScheduler } from 'ddim-wasm/scheduler';
        const answer = async ({ model, options }) =>
          String((await DDIMScheduler.fromPretrained(model, { subfolder: 'scheduler', ...options })).length);`),
      ['workerd'],
      { model, options: { endpoint: hub.endpoint, ...options } },
    );
    return body.toString();
  };
  try {
    expect(await load('owner/open', {})).toBe('77');
    expect(await load('owner/closed', { token: 'hf_it', revision: 'a'.repeat(40) })).toBe('77');
    expect(hub.requests.map(({ what, authorization }) => [what, authorization])).toEqual([
      ['scheduler/scheduler_config.json', undefined],
      ['scheduler/scheduler_config.json', 'Bearer hf_it'],
    ]);
    for (const [model, options, message] of [
      ['owner/closed', {}, /closed.*could not be fetched \(401 .*token/],
      ['owner/none', {}, /none.*could not be fetched \(401 RepoNotFound: check the name/],
      ['owner/open', { revision: 'b'.repeat(40) }, /\(404 RevisionNotFound: check the name and the revision/],
      ['owner/open', { subfolder: 'elsewhere' }, /elsewhere\/scheduler_config\.json: no such file/],
      ['owner/open', { localFilesOnly: true }, /^localFilesOnly: expected false/],
      ['no/such/name', {}, /^model: expected a directory that is there, a URL, or a repository/],
    ] as const) {
      expect(await load(model, options)).toMatch(message);
    }
  } finally {
    await hub.close();
  }
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

  const get = (path: string, url = served.url) => fetch(url + path);
  const pixels = async (path: string, url?: string) => {
    const response = await get(path, url);
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

  test("with Node's globals, which make onnxruntime believe that it is in Node", async () => {
    const config = await readFile(join(example, 'workerd.capnp'), 'utf8');
    const path = join(example, 'dist/nodejs_compat.capnp');
    const flags = 'compatibilityFlags = ["nodejs_compat"], compatibilityDate = "2026-01-01"';
    await writeFile(path, config.replace(/compatibilityDate = "[^"]*"/, flags).replaceAll('embed "dist/', 'embed "'));
    const other = await serve(path);
    try {
      expect(await pixels('/image?seed=3&steps=2', other.url)).toBe(await inNode(3n, 2));
    } finally {
      await other.close();
    }
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
