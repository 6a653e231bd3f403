// Start-up: from an empty process, or an empty browser, to the first picture of the embedded model (50 steps), with this
// library and by hand (plain.mjs). UNETS is the folder that export_unets.py wrote; CHROMIUM is /usr/bin/chromium if left out.
//
//     UNETS=DIR node startup.mjs           one start of each, part by part
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));
const plain = join(process.env.UNETS ?? '.', 'embedded/export.onnx');
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** In a page the library draws in a worker, unless told otherwise. */
const WAYS = { Node: ['ddim-wasm', 'by hand'], Chromium: ['ddim-wasm', 'ddim-wasm, workers: 0', 'by hand'] };
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

const inNode = async (how, split) =>
  JSON.parse(execFileSync(process.execPath, [self, 'child', how, split ? 'split' : ''], { encoding: 'utf8' }));

/** What runs in the child. */
async function child(how, split) {
  const { start } = await import('./startup-page.mjs');
  const { default: files } = await import('node:fs/promises');
  const { syncBuiltinESMExports } = await import('node:module');
  const modules = {
    'ddim-wasm': () => import('../dist/esm/index.js'),
    onnxruntime: () => import('onnxruntime-web'),
    plain: () => import('./plain.mjs'),
  };
  const host = {
    before: 'start of Node',
    load: (name) => modules[name](),
    plainModel: () => files.readFile(plain),
    readers: [[files, 'readFile']],
    watched: syncBuiltinESMExports,
  };
  console.log(JSON.stringify(await start(how, split, host)));
}

const PAGE = `
  import { start } from ${JSON.stringify(join(root, 'bench/startup-page.mjs'))};
  const modules = {
    'ddim-wasm': () => import('ddim-wasm'),
    onnxruntime: () => import('onnxruntime-web/wasm'),
    plain: () => import(${JSON.stringify(join(root, 'bench/plain.mjs'))}),
  };
  const host = {
    before: 'page and scripts',
    load: (name) => modules[name](),
    plainModel: async () => new Uint8Array(await (await fetch('/export.onnx')).arrayBuffer()),
    readers: [[globalThis, 'fetch'], [Response.prototype, 'arrayBuffer']],
  };
  const { how, split } = Object.fromEntries(new URLSearchParams(location.search));
  start(how, split === 'true', host).then((times) => { globalThis.times = times; });
`;

/** A server of the page, with an entry for each part that a page would load when it needs it. */
async function servePage() {
  const folder = await mkdtemp(join(tmpdir(), 'startup-'));
  const { build } = await import('esbuild');
  await build({
    stdin: { contents: PAGE, resolveDir: root },
    entryPoints: [join(root, 'dist/esm/workers/ddim-wasm-worker.js')],
    entryNames: '[name]',
    outdir: folder,
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['browser'],
    tsconfigRaw: '{}',
    alias: { 'ddim-wasm': join(root, 'dist/esm/index.js') },
    logLevel: 'error',
  });
  const wasm = 'ort-wasm-simd-threaded.wasm';
  await copyFile(join(root, 'node_modules/onnxruntime-web/dist', wasm), join(folder, wasm));
  if (existsSync(plain)) await copyFile(plain, join(folder, 'export.onnx'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><script type="module" src="stdin.js"></script>');
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const path = pathname.startsWith('/models/')
      ? join(root, pathname)
      : join(folder, pathname.replace(/^\/$/, 'index.html'));
    const bytes = await readFile(path).catch(() => undefined);
    response
      .writeHead(bytes ? 200 : 404, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' })
      .end(bytes);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { chromium } = await import('playwright-core');
  const open = async (how, split) => {
    // A browser of its own: nothing is compiled or cached.
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
    try {
      const page = await browser.newPage();
      page.on('pageerror', (error) => process.stderr.write(`${error.message}\n`));
      await page.goto(`http://127.0.0.1:${server.address().port}/?how=${encodeURIComponent(how)}&split=${split}`);
      await page.waitForFunction('globalThis.times', undefined, { polling: 100, timeout: 120_000 });
      return await page.evaluate('globalThis.times');
    } finally {
      await browser.close();
    }
  };
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  };
  return { open, close };
}

/** One start of each kind; what is not there is left out, and index.mjs says so. */
export async function measure() {
  const groups = [];
  const add = async (place, open) => {
    const ways = WAYS[place].filter((how) => how !== 'by hand' || existsSync(plain));
    const whole = {};
    for (const how of ways) whole[how] = [(await open(how, false))['in all'] / 1e3];
    const common = { unit: 'ms', perCall: 1e3 };
    const title = `Start-up in ${place}: import to the first picture`;
    groups.push({ ...common, title, reference: ways.at(-1), relation: 'time', times: whole });
    for (const how of ways) {
      // What a worker does cannot be watched from the page.
      if (place === 'Chromium' && how === 'ddim-wasm') continue;
      const times = Object.entries(await open(how, true)).map(([part, time]) => [part, [time / 1e3]]);
      const split = { title: `Start-up in ${place}, ${how}, part by part`, reference: 'in all', relation: 'share' };
      groups.push({ ...common, ...split, plot: 'startup', x: `${place}, ${how}`, times: Object.fromEntries(times) });
    }
  };
  await add('Node', inNode);
  if (existsSync(CHROMIUM)) {
    const page = await servePage();
    try {
      await add('Chromium', page.open);
    } finally {
      await page.close();
    }
  }
  return groups;
}

const [mode, how, split] = process.argv.slice(2);
if (process.argv[1] === self) {
  if (mode === 'child') await child(how, split === 'split');
  else {
    for (const { title, times } of await measure()) {
      console.log(title);
      for (const [name, [time]] of Object.entries(times))
        console.log(`  ${name.padEnd(40)} ${(1e3 * time).toFixed(1)} ms`);
    }
  }
}
