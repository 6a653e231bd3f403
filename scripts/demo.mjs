// demo/ -> build/demo: the page as a folder of static files, for any host and any path. `npm run demo:page` runs it.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DDIMPipeline, Generator } from 'ddim-wasm';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
const out = 'build/demo';
rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'model'), { recursive: true });

await build({
  entryPoints: ['demo/main.ts', 'demo/worker.ts', 'dist/esm/workers/ddim-wasm-worker.js'],
  entryNames: '[name]',
  outdir: out,
  bundle: true,
  splitting: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  conditions: ['browser'],
  target: 'es2022',
  // The package's own imports and exports, not the paths of tsconfig.json.
  tsconfigRaw: '{}',
  alias: { 'ddim-wasm/webgpu': './dist/esm/webgpu.js', 'ddim-wasm': './dist/esm/index.js' },
  logLevel: 'error',
});
for (const name of ['index.html', 'style.css']) cpSync(join('demo', name), join(out, name));
for (const name of ['ort-wasm-simd-threaded.wasm', 'ort-wasm-simd-threaded.asyncify.wasm']) {
  cpSync(join('node_modules/onnxruntime-web/dist', name), join(out, name));
}
for (const name of ['model_index.json', 'scheduler', 'unet']) {
  cpSync(join('models/fashion-mnist', name), join(out, 'model', name), { recursive: true });
}

// What Node gives with the page's first settings: kept as long as nothing that it comes from has changed.
const [steps, eta, count] = [50, 0, 32];
const files = ['dist/esm', 'models/fashion-mnist/unet'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(js|json|safetensors)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name)),
);
const sources = [...files.sort(), 'package-lock.json', process.execPath];
const key = sources.reduce((hash, file) => hash.update(readFileSync(file)), createHash('sha256')).digest('hex');
const kept = 'build/node-hashes.json';
let record = existsSync(kept) ? JSON.parse(readFileSync(kept, 'utf8')) : undefined;
if (record?.key !== key) {
  const pipe = await DDIMPipeline.fromPretrained();
  pipe.setProgressBarConfig({ desc: "Node's pictures" });
  const generator = Array.from({ length: count }, (_, seed) => new Generator(seed));
  const { images } = await pipe.generate({ batchSize: count, generator, numInferenceSteps: steps, eta });
  await pipe.dispose();
  const hashes = Object.fromEntries(
    images.map(({ data }, seed) => [seed, createHash('sha256').update(data).digest('hex')]),
  );
  record = { key, node: process.versions.node, steps, eta, hashes };
  writeFileSync(kept, JSON.stringify(record));
}
const { key: _, ...shown } = record;
writeFileSync(join(out, 'hashes.json'), `${JSON.stringify(shown, null, 1)}\n`);
