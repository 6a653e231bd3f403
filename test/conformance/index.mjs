// npm run conformance [-- --only node,deno] [--json FILE]: runs the cases in every runtime that is installed and compares.
// Exit code 1 if a hash differs, or if a runtime asked for by name is not there.
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { build } from 'esbuild';
import { compare } from './compare.mjs';
import { RUNTIMES } from './runtimes/index.mjs';
import { startServer } from './server.mjs';
import { page, table } from './table.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const here = join(root, 'test/conformance');
const built = join(root, 'build/conformance');
const readJson = async (name) => JSON.parse(await readFile(join(here, name), 'utf8'));

const { values: options } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } });
const only = options.only?.split(',');
for (const key of only ?? []) {
  if (!RUNTIMES.some((one) => one.key === key)) {
    const keys = [...new Set(RUNTIMES.map((one) => one.key))].join(', ');
    throw new RangeError(`--only: expected some of ${keys}, got ${key}`);
  }
}

/** The package as it is published, where the entries find it by its name. */
async function installPackage() {
  const folder = join(here, 'node_modules/ddim-wasm');
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', built], {
    cwd: root,
  });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await run('tar', ['-xzf', join(built, JSON.parse(stdout)[0].filename), '-C', folder, '--strip-components=1']);
}

const esbuild = { bundle: true, format: 'esm', logLevel: 'error', tsconfigRaw: '{}' };

/** The drawn models that the cases name. */
async function writeModels(cases) {
  const outfile = join(built, 'models.mjs');
  await build({
    ...esbuild,
    entryPoints: [join(here, 'models.ts')],
    outfile,
    platform: 'node',
    packages: 'external',
    // Fixtures lie beside the source.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(root, 'test/support.ts'))) },
  });
  const folder = 'build/conformance/models/';
  const models = Object.values(cases).flatMap((list) => list.map((one) => one.model ?? ''));
  const drawn = models.filter((model) => model.startsWith(folder)).map((model) => model.slice(folder.length));
  await (await import(outfile)).writeModels(join(root, folder), [...new Set(drawn)]);
}

/** The page of the browsers, and the script of its workers. */
async function writePage() {
  // As deep as the package's own modules: the embedded model is three levels up.
  const folder = join(built, 'page/conformance');
  await build({
    ...esbuild,
    entryPoints: {
      page: join(here, 'entries/page.mjs'),
      'ddim-wasm-worker': join(here, 'node_modules/ddim-wasm/dist/esm/workers/ddim-wasm-worker.js'),
    },
    outdir: folder,
    platform: 'browser',
    conditions: ['browser'],
  });
  const wasm = 'ort-wasm-simd-threaded.wasm';
  await copyFile(join(root, 'node_modules/onnxruntime-web/dist', wasm), join(folder, wasm));
  const html =
    '<!doctype html><meta charset="utf-8"><title>ddim-wasm</title><script type="module" src="page.js"></script>';
  await writeFile(join(folder, 'index.html'), html);
}

/** The Worker of workerd, and the configuration that starts it. */
async function writeWorker() {
  const folder = join(built, 'worker');
  await build({
    ...esbuild,
    entryPoints: { worker: join(here, 'entries/worker.mjs') },
    outdir: folder,
    conditions: ['workerd', 'worker'],
    // An import of a .wasm file is a module there.
    loader: { '.wasm': 'copy' },
    assetNames: '[name]',
  });
  await copyFile(join(here, 'entries/worker.capnp'), join(folder, 'worker.capnp'));
}

/** What a runtime is asked for. */
function casesFor({ emulated = false, without = [] }) {
  const light = (group, one) => !emulated || one.emulated || ['noise', 'scheduler'].includes(group);
  const groups = Object.entries(cases)
    .filter(([group]) => !without.includes(group))
    .map(([group, list]) => [group, list.filter((one) => light(group, one))]);
  return Object.fromEntries(groups.filter(([, list]) => list.length > 0));
}

// Stopped from outside: what was started is stopped, too (runtimes/process.mjs).
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const [cases, expected] = [await readJson('cases.json'), await readJson('expected.json')];
await mkdir(built, { recursive: true });
await installPackage();
await writeModels(cases);
await writePage();
await writeWorker();

const server = await startServer({
  models: join(root, 'models'),
  test: join(root, 'test'),
  build: join(root, 'build'),
  page: join(built, 'page'),
});
const rows = [];
const runs = [];
const missing = [];
// The first is always run: the others are compared with it.
for (const runtime of RUNTIMES.filter((one, i) => i === 0 || !only || only.includes(one.key))) {
  const { name, isolated = false, idleMs = 120_000 } = runtime;
  const found = await runtime.find();
  const row = { name, version: found?.version };
  rows.push(row);
  if (!found) {
    process.stdout.write(`${name}: not installed\n`);
    if (only) missing.push(name);
    continue;
  }
  const asked = casesFor(runtime);
  const started = performance.now();
  const start = () => found.start({ base: server.base, folder: root.replace(/\/$/, '') });
  const { results, about, failure } = await server.collect({ cases: asked, isolated, idleMs, start });
  runs.push({ name: `${name} ${found.version}`, asked, results, failure: failure ?? found.check?.(about), row });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stdout.write(`${name} ${found.version}: ${results.length} cases in ${seconds} s\n`);
}
server.close();

const compared = compare(runs, expected);
const count = { passed: 0, failed: 0 };
for (const [i, { groups }] of compared.entries()) {
  runs[i].row.groups = groups;
  for (const { passed, failed } of Object.values(groups)) {
    count.passed += passed;
    count.failed += failed;
  }
}
const differences = compared.flatMap((one) => one.differences);
// A runtime that failed as a whole counts, too.
count.failed = Math.max(count.failed, differences.length) + missing.length;

process.stdout.write(`\n${table(Object.keys(cases), rows)}\n\n`);
for (const name of missing) process.stderr.write(`${name}: asked for, but not installed\n`);
for (const difference of differences) process.stderr.write(`${difference}\n`);
process.stdout.write(`${count.passed} passed, ${count.failed} failed\n`);
if (options.json) {
  await writeFile(
    options.json,
    JSON.stringify({ numPassedTests: count.passed, numFailedTests: count.failed, numRuntimeErrorTestSuites: 0 }),
  );
}
if (!only) {
  const text = page({
    cases,
    rows,
    recordedWith: expected.recordedWith,
    date: new Date().toISOString().slice(0, 10),
    machine: `${process.platform} ${process.arch}, ${cpus()[0]?.model ?? 'an unknown processor'}`,
  });
  await writeFile(join(root, 'docs/conformance.md'), text);
}
process.exitCode = count.failed > 0 ? 1 : 0;
