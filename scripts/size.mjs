// Sizes of what is shipped, each against its budget. Fails when one is over.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';

const KB = 1024;

/**
 * Gzipped size of an entry, minified, without onnxruntime: what a browser loads first, or all in one file, as tools for Workers
 * make it.
 */
function bundle(entry, { condition = 'browser', splitting = true } = {}) {
  const { outputFiles, metafile } = buildSync({
    entryPoints: [entry],
    bundle: true,
    splitting,
    metafile: true,
    outdir: 'build/size',
    minify: true,
    format: 'esm',
    platform: 'browser',
    conditions: [condition],
    tsconfigRaw: '{}',
    logLevel: 'error',
    external: ['onnxruntime-web', 'onnxruntime-web/wasm', 'onnxruntime-web/webgpu', '*.wasm'],
    write: false,
  });
  const loaded = new Set();
  const load = (path) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { kind, path: next, external } of metafile.outputs[path].imports) {
      if (kind === 'import-statement' && !external) load(next);
    }
  };
  load(Object.keys(metafile.outputs).find((path) => metafile.outputs[path].entryPoint === entry));
  return outputFiles
    .filter(({ path }) => [...loaded].some((name) => path.endsWith(name)))
    .reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
}

const gzipped = (file) => gzipSync(readFileSync(file)).length;
const model = 'models/fashion-mnist/unet';
const kernels = readFileSync('build/kernels.wasm');
const scheduler = 'dist/esm/scheduler-entry.js';
const rows = [
  ['kernels.wasm', kernels.length, 12 * KB],
  ['scheduler entry, gzipped', bundle(scheduler), 15 * KB],
  [
    'on workerd, one file, WASM',
    bundle(scheduler, { condition: 'workerd', splitting: false }) + gzipSync(kernels).length,
    15 * KB,
  ],
  ['main entry, gzipped', bundle('dist/esm/index.js'), 40 * KB],
  ['without a bundler, gzipped', gzipped('dist/static/ddim-wasm.js'), 64 * KB],
  ['its worker, gzipped', gzipped('dist/static/ddim-wasm-worker.js'), 32 * KB],
  [
    'embedded model',
    ['config.json', 'diffusion_pytorch_model.safetensors'].reduce((n, f) => n + statSync(`${model}/${f}`).size, 0),
    6e6,
  ],
  ['packed package', JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']))[0].size, 8e6],
];

let over = false;
for (const [name, bytes, budget] of rows) {
  const late = bytes > budget;
  over ||= late;
  console.log(
    `${name.padEnd(26)} ${String(bytes).padStart(9)} of ${String(budget).padStart(9)} bytes${late ? '  OVER' : ''}`,
  );
}
if (over) process.exitCode = 1;
