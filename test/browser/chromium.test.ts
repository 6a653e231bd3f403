// A page in Chromium loads models from a Hub on another address, as a page would: the bits are those of Node, the second
// time nothing is fetched, and a model of 35.7 million parameters fits into a tab. Run by `npm run browser`.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Generator, UNet2DModel } from 'ddim-wasm';
import type { Browser, Page } from 'playwright-core';
import { type Hub, startHub } from '../hub/server.ts';
import { fixture, sha256, withDirectory } from '../support.ts';
import { drawWeights, type FullCase, loadFullCases, writeCheckpoint } from '../unets.ts';
import { bundlePage, openChromium, serveFolder } from './site.ts';

const WEIGHTS = 'diffusion_pytorch_model.safetensors';
const COMMIT = 'a'.repeat(40);

const folderOf = async (directory: string): Promise<Record<string, Uint8Array>> => ({
  'config.json': await readFile(join(directory, 'config.json')),
  [WEIGHTS]: await readFile(join(directory, WEIGHTS)),
});

let browser: Browser;
let hub: Hub;
beforeAll(async () => {
  browser = await openChromium('--disable-gpu');
  const files = await folderOf(fixture('checkpoints/safetensors'));
  hub = await startHub({ 'owner/small': { commit: COMMIT, files, large: [WEIGHTS] } });
});
afterAll(async () => {
  await browser?.close();
  await hub?.close();
});

/** A fresh browser profile with the page open; `prepare` is run in it before anything else. */
const withPage = (body: (page: Page) => Promise<void>, prepare = '') =>
  withDirectory(async (directory) => {
    await bundlePage(directory, 'test/browser/page.ts');
    const site = await serveFolder(directory);
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      page.on('pageerror', (error) => process.stderr.write(`${error.message}\n`));
      await page.addInitScript(prepare);
      await page.goto(site.url);
      await page.waitForFunction('typeof run === "function"');
      await body(page);
    } finally {
      await context.close();
      site.close();
    }
  });

interface Result {
  fetched: string[];
  parameters: number;
  hash: string;
}
const run = (page: Page, ...args: unknown[]): Promise<Result> =>
  page.evaluate(`run(...${JSON.stringify(args)})`) as Promise<Result>;

/** The hash that Node gives. */
async function inNode(directory: string, shape: number[], seed: number, timestep: number): Promise<string> {
  const unet = await UNet2DModel.fromPretrained(directory);
  const { sample } = await unet.forward(new Generator(seed).randn(shape), timestep);
  await unet.dispose();
  return sha256(sample.data);
}

test('from the Hub, then from the cache, with and without a connection: the bits of Node', () =>
  withPage(async (page) => {
    const shape = [2, 3, 8, 8];
    const hash = await inNode(fixture('checkpoints/safetensors'), shape, 1, 500);
    const options = { endpoint: hub.endpoint };
    // Cut in the middle: gone on from there.
    hub.faults.push({ on: `cdn ${WEIGHTS}`, cut: 5000 });
    const first = await run(page, 'owner/small', options, shape, 1, 500);
    expect(first).toEqual({ fetched: ['config.json', WEIGHTS], parameters: 2947, hash });
    const second = await run(page, 'owner/small', options, shape, 1, 500);
    expect(second).toEqual({ fetched: [], parameters: 2947, hash });
    hub.requests.length = 0;
    const third = await run(page, 'owner/small', { ...options, localFilesOnly: true }, shape, 1, 500);
    expect(third).toEqual({ fetched: [], parameters: 2947, hash });
    expect(hub.requests).toEqual([]);
  }));

test('where there is no cache the page keeps the files, and a second load finds them whole', () =>
  withPage(async (page) => {
    const shape = [1, 3, 8, 8];
    const hash = await inNode(fixture('checkpoints/safetensors'), shape, 2, 20);
    const options = { endpoint: hub.endpoint };
    const first = await run(page, 'owner/small', options, shape, 2, 20);
    expect(first).toEqual({ fetched: ['config.json', WEIGHTS], parameters: 2947, hash });
    const second = await run(page, 'owner/small', options, shape, 2, 20);
    expect(second).toEqual({ fetched: [], parameters: 2947, hash });
  }, 'delete globalThis.caches'));

test('ddpm-cifar10-32, 35.7 million parameters', () =>
  withDirectory(async (directory) => {
    const [one] = (await loadFullCases()).filter(({ name }) => name === 'ddpm-cifar10-32') as [FullCase];
    await writeCheckpoint(directory, one, drawWeights(one));
    hub.repositories.set('owner/cifar', { commit: COMMIT, files: await folderOf(directory), large: [WEIGHTS] });
    const { seed, shape, timestep } = one.runs[0] as FullCase['runs'][number];
    const hash = await inNode(directory, shape, seed, timestep);
    await withPage(async (page) => {
      const result = await run(page, 'owner/cifar', { endpoint: hub.endpoint }, shape, seed, timestep);
      expect(result).toEqual({ fetched: ['config.json', WEIGHTS], parameters: 35_746_307, hash });
    });
  }));
