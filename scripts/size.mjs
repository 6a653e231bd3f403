// Sizes of what is shipped, each against its budget. Fails when one is over.
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';

const KB = 1024;

/** The minified bytes of an entry as a browser would load it, without onnxruntime. */
function bundle(entry) {
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['browser'],
    tsconfigRaw: '{}',
    logLevel: 'error',
    external: ['onnxruntime-web', 'onnxruntime-web/wasm'],
    write: false,
  });
  return outputFiles[0].contents;
}

const model = 'models/fashion-mnist/unet';
const rows = [
  ['kernels.wasm', statSync('build/kernels.wasm').size, 12 * KB],
  ['scheduler entry, gzipped', gzipSync(bundle('dist/esm/scheduler-entry.js')).length, 15 * KB],
  ['main entry, gzipped', gzipSync(bundle('dist/esm/index.js')).length, 40 * KB],
  [
    'embedded model',
    ['config.json', 'model.onnx', 'diffusion_pytorch_model.safetensors'].reduce(
      (n, f) => n + statSync(`${model}/${f}`).size,
      0,
    ),
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
