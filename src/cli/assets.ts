import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

// dist/esm/cli: the package is three levels up.
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Files of onnxruntime-web: a script, which a page without a bundler imports, and its WebAssembly. */
const WASM = ['ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm'];
const WEBGPU = ['ort.webgpu.bundle.min.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'];

/** Copies what a page fetches while the library runs, and the library itself as one script, and returns the files written. */
export async function assets(args: string[]): Promise<string[]> {
  const options = { webgpu: { type: 'boolean', default: false } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [directory, ...others] = positionals;
  if (directory === undefined || others.length > 0) {
    throw new RangeError(`DIR: expected one, got ${positionals.length === 0 ? 'none' : positionals.join(' ')}`);
  }
  const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));
  const scripts = join(root, 'dist/static');
  const files = [
    ...(await readdir(scripts)).map((name) => [join(scripts, name), name]),
    [join(root, 'models/fashion-mnist/unet/diffusion_pytorch_model.safetensors'), 'fashion-mnist.safetensors'],
    ...[...WASM, ...(values.webgpu ? WEBGPU : [])].map((name) => [join(runtime, name), name]),
  ] as [string, string][];
  await mkdir(directory, { recursive: true });
  await Promise.all(files.map(([from, name]) => copyFile(from, join(directory, name))));
  return files.map(([, name]) => join(directory, name));
}
