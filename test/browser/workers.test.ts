// Workers in Chromium: a page draws in one by default and never stands still, the bits are those of Node, and nothing is
// left of what was cancelled.
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DDIMPipeline, Generator, type PretrainedOptions, type UNetOptions } from 'ddim-wasm';
import type { Browser, Page } from 'playwright-core';
import { startHub } from '../hub/server.ts';
import { fixture, sha256, tensor, withDirectory } from '../support.ts';
import { type FullCase, loadFullCases, writeCheckpoint } from '../unets.ts';
import { bundlePage, openChromium, serveFolder } from './site.ts';
import type { Draw } from './workers-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ISOLATION = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

let browser: Browser;
beforeAll(async () => {
  browser = await openChromium('--disable-gpu', '--js-flags=--expose-gc');
});
afterAll(() => browser?.close());

interface Drawn {
  workers: number;
  hash: string;
  warnings: string[];
  isolated: boolean;
  error?: string;
}
const call = <T>(page: Page, name: string, ...args: unknown[]): Promise<T> =>
  page.evaluate(`${name}(...${JSON.stringify(args)})`) as Promise<T>;
const draw = (page: Page, model: string | null, options: PretrainedOptions, how: Draw): Promise<Drawn> =>
  call(page, 'draw', model, options, how);

interface Setting {
  headers?: Record<string, string>;
  /** What is done to the folder before it is served. */
  prepare?: (directory: string) => Promise<void>;
}

/** A page in a fresh profile, with the embedded model and the fixture 'gray' on its server. */
const withPage = (setting: Setting, body: (page: Page) => Promise<void>) =>
  withDirectory(async (directory) => {
    await bundlePage(directory, 'test/browser/workers-page.ts');
    await cp(join(root, 'models/fashion-mnist'), join(directory, 'models/fashion-mnist'), { recursive: true });
    await cp(fixture('pipelines/gray'), join(directory, 'gray'), { recursive: true });
    await setting.prepare?.(directory);
    const site = await serveFolder(directory, '/', setting.headers);
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      page.on('pageerror', (error) => process.stderr.write(`${error.message}\n`));
      await page.goto(site.url);
      await page.waitForFunction('typeof draw === "function"');
      await body(page);
    } finally {
      await context.close();
      site.close();
    }
  });

/** That so many workers are alive: the browser tells of an end a little later. */
async function expectWorkers(page: Page, count: number): Promise<void> {
  for (let i = 0; i < 100 && page.workers().length !== count; i++) await page.waitForTimeout(50);
  expect(page.workers().length).toBe(count);
}

/** The hash that Node gives, without workers. */
async function inNode(model: string | undefined, { seed, ...options }: Draw): Promise<string> {
  await using pipe = await DDIMPipeline.fromPretrained(model);
  pipe.setProgressBarConfig({ disable: true });
  const { images } = await pipe.generate({ ...options, generator: new Generator(seed) });
  return sha256(Buffer.concat(images.map(({ data }) => data)));
}

const grayInNode = (how: Draw) => inNode(fixture('pipelines/gray'), how);
const HOW: Draw = { seed: 7, batchSize: 3, eta: 1, numInferenceSteps: 4 };

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Time on a core, in microseconds: that of the page alone, whatever else the machine does. */
  tdur?: number;
  args: { name?: string };
}

/** The longest task of the pages' main threads while `body` runs, in ms. */
async function longestTask(page: Page, body: () => Promise<void>): Promise<number> {
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  await body();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const key = ({ pid, tid }: TraceEvent) => `${pid}/${tid}`;
  const names = new Map(traceEvents.flatMap((e) => (e.name === 'thread_name' ? [[key(e), e.args.name]] : [])));
  const tasks = traceEvents.filter((event) => event.ph === 'X' && names.get(key(event)) === 'CrRendererMain');
  expect(tasks.length).toBeGreaterThan(10);
  return Math.max(...tasks.map(({ tdur = 0 }) => tdur / 1000));
}

test('the embedded model, in a worker by default: the bits of Node, and no task of the page is over 50 ms', async () => {
  const how = { seed: 3, batchSize: 2, numInferenceSteps: 4 };
  const hash = await inNode(undefined, how);
  await withPage({}, async (page) => {
    const busy = (options: PretrainedOptions, workers: number) =>
      longestTask(page, async () => {
        const drawn = await draw(page, null, options, how);
        expect(drawn).toMatchObject({ workers, hash, warnings: [], isolated: false });
      });
    // The page's own doing is there every time; a crowded machine makes any task longer now and then.
    let least = Infinity;
    for (let i = 0; i < 3 && least >= 50; i++) least = Math.min(least, await busy({}, 1));
    expect(least).toBeLessThan(50);
    // Without a worker a pass, or the opening of a model, is one task.
    expect(await busy({ workers: 0 }, 0)).toBeGreaterThan(50);
    await expectWorkers(page, 0);
  });
});

test('frames while the embedded model is loaded and draws: as many as an idle page shows', async () => {
  const how = { seed: 3, batchSize: 2, numInferenceSteps: 8 };
  await withPage({}, async (page) => {
    /** Of the frames that the page shows right after, for as long, while it does nothing: then 60 a second were counted. */
    const share = async (options: PretrainedOptions) => {
      const { busy, idle } = await call<{ busy: number; idle: number }>(page, 'frames', null, options, how);
      expect(idle).toBeGreaterThan(10);
      return busy / idle;
    };
    // 0.96 to 0.99 on two cores; 0.91 to 0.99 with four other programs busy on them.
    let best = 0;
    for (let i = 0; i < 3 && best < 0.9; i++) best = Math.max(best, await share({}));
    expect(best).toBeGreaterThanOrEqual(0.9);
    // Without a worker: 0.09 to 0.18.
    expect(await share({ workers: 0 })).toBeLessThan(0.5);
  });
});

test('35.7 million parameters, 143 MB: no task of the page is over 50 ms while they are loaded', async () => {
  const [one] = (await loadFullCases()).filter(({ name }) => name === 'ddpm-cifar10-32') as [FullCase];
  // What the weights are does not matter here.
  const zeros = one.weights.map(({ name, shape }) => [name, tensor(shape, () => 0)] as const);
  const names = ['config.json', 'diffusion_pytorch_model.safetensors'];
  const files: Record<string, Uint8Array> = {};
  const prepare = async (directory: string) => {
    const folder = join(directory, 'cifar');
    await writeCheckpoint(folder, one, new Map(zeros));
    for (const name of names) files[name] = await readFile(join(folder, name));
  };
  await withPage({ prepare }, async (page) => {
    const longest = (model: string | null, options: UNetOptions = {}) =>
      longestTask(page, async () => {
        const loaded = await call(page, 'loadUNet', model, options);
        expect(loaded).toEqual({ parameters: one.parameters, workers: 1 });
      });
    const url = new URL('cifar', page.url()).href;
    const hub = await startHub({ 'owner/cifar': { commit: 'a'.repeat(40), files, large: names.slice(1) } });
    const { endpoint } = hub;
    const ways: [string, () => Promise<number>][] = [
      ['a URL', () => longest(url)],
      ['Blobs', () => call(page, 'hold', url, names, 'blob').then(() => longest(null))],
      ['bytes', () => call(page, 'hold', url, names, 'bytes').then(() => longest(null))],
      ['the Hub', () => longest('owner/cifar', { endpoint, forceDownload: true })],
      ['the cache', () => longest('owner/cifar', { endpoint })],
    ];
    const over: [string, number][] = [];
    try {
      for (const [name, way] of ways) {
        let least = Infinity;
        for (let i = 0; i < 3 && least >= 50; i++) least = Math.min(least, await way());
        if (least >= 50) over.push([name, least]);
      }
    } finally {
      await hub.close();
    }
    // 20 to 45 ms were seen. When files were joined, copied and hashed as a whole: 85 to 570 ms.
    expect(over).toEqual([]);
  });
});

test.each([
  ['without', {}, false],
  ['with', ISOLATION, true],
])('two and three workers %s cross-origin isolation', async (_, headers, isolated) => {
  const hash = await grayInNode(HOW);
  await withPage({ headers }, async (page) => {
    for (const workers of [2, 3]) {
      const drawn = await draw(page, 'gray', { workers }, HOW);
      expect(drawn).toMatchObject({ workers, hash, warnings: [], isolated });
    }
    await expectWorkers(page, 0);
  });
});

/** Memory of the pages of the browser, in bytes, after garbage is collected. */
async function residentBytes(page: Page): Promise<number> {
  await page.evaluate('gc()');
  await Promise.all(page.workers().map((worker) => worker.evaluate('gc()')));
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const pages = processInfo.filter(({ type }) => type === 'renderer');
  const sizes = pages.map(async ({ id }) => Number((await readFile(`/proc/${id}/statm`, 'utf8')).split(' ')[1]) * 4096);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

test('1,400 times cancelled at random moments: no worker more, no memory more, and the next picture is right', async () => {
  const hash = await grayInNode(HOW);
  await withPage({}, async (page) => {
    await call(page, 'open', 'gray', 2);
    await expectWorkers(page, 2);
    const cancel = (from: number, count: number) => call<number>(page, 'cancel', from, count);
    expect(await cancel(0, 400)).toBe(200);
    const before = await residentBytes(page);
    const cancelled = await cancel(1, 1000);
    // 40 KB each, or the garbage collectors' own room: 4 to 14 MB were seen.
    expect((await residentBytes(page)) - before).toBeLessThan(40 * 2 ** 20);
    expect(cancelled).toBe(500);
    await expectWorkers(page, 2);
    expect(await call(page, 'again', HOW)).toBe(hash);
    await call(page, 'close');
    await expectWorkers(page, 0);
  });
});

const POLICY = `<meta http-equiv="content-security-policy" content="worker-src 'none'">`;
const broken: [string, (directory: string) => Promise<void>][] = [
  ['its file is missing', (directory) => rm(join(directory, 'ddim-wasm-worker.js'))],
  [
    'the policy of the page forbids it',
    (directory) =>
      writeFile(join(directory, 'index.html'), `<!doctype html>${POLICY}<script type="module" src="page.js"></script>`),
  ],
];
test.each(broken)('a worker that cannot be started, since %s', async (_, prepare) => {
  const hash = await grayInNode(HOW);
  await withPage({ prepare }, async (page) => {
    const first = await draw(page, 'gray', {}, HOW);
    expect(first).toMatchObject({ workers: 0, hash });
    expect(first.warnings).toEqual([expect.stringMatching(/^workers: could not be started .*ddim-wasm-worker\.js/)]);
    const second = await draw(page, 'gray', {}, HOW);
    expect(second).toMatchObject({ workers: 0, hash, warnings: [] });
    const fetched: string[] = [];
    page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
    const asked = await draw(page, 'gray', { workers: 1 }, HOW);
    // Nothing of the model's own file, in vain.
    expect(fetched).toContain('/gray/unet/config.json');
    expect(fetched.filter((path) => /^\/gray\/unet\/(?!config\.json)/.test(path))).toEqual([]);
    expect(asked.error).toMatch(/^workers: could not be started .*ddim-wasm-worker\.js.*workers: 0/);
    await expectWorkers(page, 0);
  });
});
