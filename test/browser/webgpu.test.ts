// device: 'webgpu' in Chromium: with its software adapter the results are within 1e-3 of wasm, and where there is no
// adapter, or no WebGPU at all, the model runs on wasm after one warning. Run by `npm run browser`.
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fixture, withDirectory } from '../support.ts';
import { bundlePage, openChromium, serveFolder } from './site.ts';

const small = fixture('checkpoints/safetensors');
const WEIGHTS = 'diffusion_pytorch_model.safetensors';
const ADAPTER = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

interface Comparison {
  device: string;
  warnings: string[];
  error: string;
  first: number[][];
  wasm: number[][];
  again: number[][];
}

/** Compares the devices in a fresh Chromium; `prepare` is run in the page before anything else. */
const compare = (flags: string[], prepare = ''): Promise<Comparison> =>
  withDirectory(async (folder) => {
    const runtimes = ['ort-wasm-simd-threaded.wasm', 'ort-wasm-simd-threaded.asyncify.wasm'];
    await bundlePage(folder, 'test/browser/webgpu-page.ts', runtimes);
    await mkdir(join(folder, 'model'));
    for (const name of ['config.json', WEIGHTS]) await copyFile(join(small, name), join(folder, 'model', name));
    const site = await serveFolder(folder);
    const browser = await openChromium(...flags);
    try {
      const page = await browser.newPage();
      await page.addInitScript(prepare);
      await page.goto(site.url);
      await page.waitForFunction('typeof compare === "function"');
      return await page.evaluate<Comparison>('compare([2, 3, 8, 8], [999, 1])');
    } finally {
      await browser.close();
      site.close();
    }
  });

/** The largest difference, relative to the largest value. */
function distance(a: number[][], b: number[][]): number {
  expect(a.length).toBe(b.length);
  const flat = b.flat();
  const largest = Math.max(...flat.map(Math.abs));
  return Math.max(...a.flat().map((value, i) => Math.abs(value - (flat[i] as number)))) / largest;
}

test('on a software adapter: within 1e-3 of wasm, there and back', async () => {
  const { device, warnings, error, first, wasm, again } = await compare(ADAPTER);
  expect({ device, warnings, error }).toEqual({ device: 'webgpu', warnings: [], error: '' });
  expect(distance(first, wasm)).toBeLessThan(1e-3);
  expect(distance(again, wasm)).toBeLessThan(1e-3);
});

test.each([
  ['adapter', ['--disable-gpu'], '', 'WebGPU finds no graphics adapter here'],
  ['WebGPU', [], 'delete Navigator.prototype.gpu', 'this browser has no WebGPU, or none on a page without https'],
])('without %s: one warning, and wasm', async (_, flags, prepare, reason) => {
  const { device, warnings, error, first, wasm } = await compare(flags, prepare);
  expect(device).toBe('wasm');
  expect(warnings).toEqual([`device: ${reason}; running on 'wasm'`]);
  expect(error).toBe(`RangeError: device: ${reason}; use 'wasm'`);
  expect(first).toEqual(wasm);
});
