// Every example, installed from the packed package and started with the two commands of its README, draws the pixels that
// Node draws. Then what a bundler writes: no WebAssembly but the one that is needed, and a strict Content-Security-Policy.
// Run by `npm run bundlers`.
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DDIMPipeline, Generator } from 'ddim-wasm';
import { decode } from 'fast-png';
import type { Browser } from 'playwright-core';
import { openChromium, serveFolder } from '../browser/site.ts';
import { failure, sha256 } from '../support.ts';
import { commands, type Example, install, pack } from './examples.ts';

let browser: Browser;
let tarball: string;
let packed: string;
/** SHA-256 of the pixels that Node draws from the source's build. */
let expected: string;

beforeAll(async () => {
  packed = await mkdtemp(join(tmpdir(), 'ddim-wasm-pack-'));
  tarball = await pack(packed);
  browser = await openChromium('--disable-gpu');
  const pipe = await DDIMPipeline.fromPretrained();
  pipe.setProgressBarConfig({ disable: true });
  const { images } = await pipe.generate({ generator: new Generator(7), numInferenceSteps: 4 });
  await pipe.dispose();
  expected = sha256((images[0] as { data: Uint8Array }).data);
}, 600_000);
afterAll(async () => {
  await browser?.close();
  await rm(packed, { recursive: true, force: true });
});

interface Shown {
  /** What the page shows as the hash, or the first error. */
  hash: string;
  /** Paths of all requests. */
  fetched: string[];
  /** Workers that were started. */
  workers: number;
  warnings: string[];
}

/** What a page shows that draws as it should. */
const right = () => expect.objectContaining({ hash: expected, workers: 1, warnings: [] });

async function open(url: string): Promise<Shown> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const fetched: string[] = [];
    const warnings: string[] = [];
    let workers = 0;
    page.on('worker', () => workers++);
    page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()));
    context.on('request', (request) => fetched.push(new URL(request.url()).pathname));
    const broken = new Promise<string>((resolve) => page.on('pageerror', ({ message }) => resolve(message)));
    await page.goto(url);
    // A selector, not an expression: a Content-Security-Policy would refuse to evaluate that.
    const shown = page.locator('#hash:not(:empty)').innerText({ timeout: 60_000 });
    shown.catch(() => {});
    const hash = await Promise.race([shown, broken]);
    return { hash, fetched, workers, warnings };
  } finally {
    await context.close();
  }
}

/** The files below a folder whose names end so. */
async function files(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith(ending));
}

/** Tests on one example, installed once. */
function describeExample(name: string, body: (example: () => Example) => void): void {
  describe(name, () => {
    let example: Example | undefined;
    beforeAll(async () => {
      example = await install(name, tarball);
    }, 600_000);
    afterAll(() => example?.remove());
    test('starts with two commands', async () => {
      expect(await commands(name)).toEqual(['npm install', 'npm start']);
    });
    body(() => example as Example);
  });
}

const port = (flag: string, host: string) => (value: number) => [flag, String(value), host, '127.0.0.1'];

/** `npm start` serves a page that shows the hash. */
function testStart(example: () => Example, args: (port: number) => string[]): void {
  test('npm start: the pixels of Node', async () => {
    const { url, stop } = await example().serve('start', args);
    try {
      expect(await open(url)).toEqual(right());
    } finally {
      await stop();
    }
  }, 300_000);
}

/** `npm run build` writes dist/, which needs no more than static files, and one WebAssembly of onnxruntime. */
function testBuild(example: () => Example): void {
  test('npm run build: the pixels of Node, from static files below any path', async () => {
    await example().run('build');
    const dist = join(example().folder, 'dist');
    const [wasm, ...others] = await files(dist, '.wasm');
    expect(others).toEqual([]);
    expect(sha256(await readFile(join(dist, wasm as string)))).toBe(
      sha256(await readFile('node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm')),
    );
    const site = await serveFolder(dist, '/deep/down/');
    try {
      const shown = await open(site.url);
      expect(shown).toEqual(right());
      const paths = new Set(shown.fetched.filter((path) => path.endsWith('.wasm')));
      expect([...paths]).toHaveLength(1);
    } finally {
      site.close();
    }
  }, 300_000);
}

describeExample('vite', (example) => {
  testStart(example, port('--port', '--host'));
  testBuild(example);

  const policy = (script: string) => ({
    'content-security-policy': `default-src 'none'; script-src ${script}; worker-src 'self'; connect-src 'self'; img-src 'self'`,
  });
  test('a Content-Security-Policy without unsafe-eval', async () => {
    const dist = join(example().folder, 'dist');
    const strict = await serveFolder(dist, '/', policy("'self' 'wasm-unsafe-eval'"));
    const stricter = await serveFolder(dist, '/', policy("'self'"));
    try {
      expect(await open(strict.url)).toEqual(right());
      expect((await open(stricter.url)).hash).toMatch(/Content Security Policy/i);
    } finally {
      strict.close();
      stricter.close();
    }
  });
});

describeExample('webpack', (example) => {
  testStart(example, port('--port', '--host'));
  testBuild(example);
});

describeExample('esbuild', (example) => {
  testStart(example, (value) => [`--serve=127.0.0.1:${value}`]);
  testBuild(example);

  test('without the files: an error that says what to do', async () => {
    const { folder, run } = example();
    const site = await serveFolder(join(folder, 'dist'), '/deep/down/');
    try {
      await rm(join(folder, 'dist/ddim-wasm/ort-wasm-simd-threaded.wasm'));
      expect((await open(site.url)).hash).toMatch(/onnxruntime could not start .*npx ddim-wasm assets/);
      const source = await readFile(join(folder, 'src/main.js'), 'utf8');
      await writeFile(join(folder, 'src/main.js'), source.replace(/^configure\(.*$/m, ''));
      await run('build');
      expect((await open(site.url)).hash).toMatch(/embedded model could not be fetched .*npx ddim-wasm assets/);
    } finally {
      site.close();
    }
  }, 300_000);
});

describeExample('rollup', (example) => {
  testStart(example, port('--port', '--host'));
  testBuild(example);
});

describeExample('static', (example) => {
  testStart(example, port('--port', '--host'));
});

describeExample('next', (example) => {
  test('npm start: client component and route handler draw the pixels of Node', async () => {
    const { url, stop } = await example().serve('start', port('--port', '--hostname'));
    try {
      expect(await open(url)).toEqual(right());
      const response = await fetch(`${url}api/image?seed=7`);
      expect(response.headers.get('content-type')).toBe('image/png');
      const { data } = decode(new Uint8Array(await response.arrayBuffer()));
      expect(sha256(data)).toBe(expected);
      const output = join(example().folder, '.next');
      expect(await files(join(output, 'static'), '.wasm')).toHaveLength(1);
      // What a deployment of traced files takes along.
      const traced = await readFile(join(output, 'server/app/api/image/route.js.nft.json'), 'utf8');
      for (const name of ['diffusion_pytorch_model.safetensors', 'ort-wasm-simd-threaded.wasm']) {
        expect(traced).toContain(name);
      }
    } finally {
      await stop();
    }
  }, 500_000);
});

describeExample('node', (example) => {
  test('npm start: ES modules and CommonJS draw the same pixels', async () => {
    const printed = await example().run('start');
    expect(printed.match(/[0-9a-f]{64}/g)).toEqual([expected, expected]);
    expect((await files(example().folder, '.png')).filter((name) => !name.includes('/')).sort()).toEqual([
      'commonjs.png',
      'esm.png',
    ]);
  });
});

describeExample('typescript', (example) => {
  test('npm start: strict, with the libraries checked, as bundler and as nodenext', async () => {
    await example().run('start');
  });

  test.each(['page.ts', 'server.ts', 'commonjs.cts'])('a wrong argument in %s is found', async (name) => {
    const { folder, run } = example();
    const path = join(folder, 'src', name);
    const source = await readFile(path, 'utf8');
    const wrong = name.endsWith('.cts') ? 'ddim.DDIMPipeline' : 'DDIMPipeline';
    await appendFile(path, `\n${wrong}.fromPretrained('model', { device: 'abacus' });\n`);
    const error = (await failure(() => run('start'))) as Error & { stdout: string };
    await writeFile(path, source);
    expect(error.stdout).toMatch(new RegExp(`src/${name}\\(\\d+,\\d+\\): error TS2322: .*"abacus"`));
  });
});
