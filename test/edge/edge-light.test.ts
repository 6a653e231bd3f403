// Vercel's edge runtime: its global objects from its own package, no bytes compiled, no eval, and the kernels as the
// import that Next.js makes of `?module`. Run by `npm run edge`.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeVM } from '@edge-runtime/vm';
import { build } from 'esbuild';
import { fixture, sha256 } from '../support.ts';
import { compute as computeInNode } from './numbers.ts';
import { differences, work } from './recorded.ts';
import { root } from './workerd.ts';

const files = Object.fromEntries(
  await Promise.all(
    ['config.json', 'diffusion_pytorch_model.safetensors'].map(async (name) => [
      name,
      new Uint8Array(await readFile(fixture(`checkpoints/safetensors/${name}`))),
    ]),
  ),
);
const kernels = new WebAssembly.Module(await readFile(join(root, 'dist/esm/kernels.wasm')));

/** What a script leaves in `result` when it is run in the edge runtime. */
async function evaluate<T>(contents: string, conditions: string[]): Promise<T> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(root, 'test/edge'), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    conditions,
    tsconfigRaw: '{}',
    alias: {
      'ddim-wasm/scheduler': join(root, 'dist/esm/scheduler-entry.js'),
      'ddim-wasm': join(root, 'dist/esm/index.js'),
    },
    plugins: [
      {
        name: 'wasm module',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path, namespace: 'module' }));
          onLoad({ filter: /./, namespace: 'module' }, () => ({ contents: 'export default kernelsModule' }));
        },
      },
    ],
    logLevel: 'error',
  });
  const vm = new EdgeVM({
    codeGeneration: { strings: false, wasm: false },
    extend: (context) => Object.assign(context, { kernelsModule: kernels, work, files }),
    initialCode: (outputFiles[0] as { text: string }).text,
  });
  return (vm.context as unknown as { result: T }).result;
}

const COMPUTE = "import { compute } from './numbers.ts'; globalThis.result = compute(work);";

test('the bits of torch, and of Node', async () => {
  const result = await evaluate<Float32Array>(COMPUTE, ['edge-light']);
  expect(differences(result)).toEqual([]);
  expect(sha256(result)).toBe(sha256(computeInNode(work)));
});

test('on a host without the condition, useKernels takes the module', async () => {
  const give = "import { useKernels } from 'ddim-wasm/scheduler'; useKernels(kernelsModule);";
  const result = await evaluate<Float32Array>(give + COMPUTE, ['browser']);
  expect(differences(result)).toEqual([]);
  await expect(evaluate(COMPUTE, ['browser'])).rejects.toThrow(/Wasm code generation disallowed/);
});

test.each(['UNet2DModel.fromPretrained(files)', 'DDIMPipeline.fromPretrained()'])(
  '%s is refused, with the reason',
  async (call) => {
    const load = `import { DDIMPipeline, UNet2DModel } from 'ddim-wasm'; globalThis.result = ${call};`;
    await expect(evaluate(load, ['edge-light'])).rejects.toThrow(/^onnxruntime has .*docs\/edge\.md/);
  },
);
