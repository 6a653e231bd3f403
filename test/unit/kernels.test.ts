// useKernels: what it takes, and when. test/edge shows that it serves a host which compiles no bytes.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Generator, useKernels } from 'ddim-wasm/scheduler';
import { failure } from '../support.ts';

const bytes = await readFile(createRequire(import.meta.url).resolve('../../dist/esm/kernels.wasm'));
const kernels = new WebAssembly.Module(bytes);

test('something else than a module', async () => {
  for (const [value, shown] of [
    [bytes, 'an instance of Buffer'],
    [new WebAssembly.Instance(kernels), 'an instance of Instance'],
    [undefined, 'undefined'],
  ] as const) {
    const error = await failure(() => useKernels(value as never));
    expect([error.name, error.message]).toEqual([
      'TypeError',
      expect.stringContaining(`module: expected a WebAssembly.Module, got ${shown}`),
    ]);
  }
});

test('another module', async () => {
  const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const error = await failure(() => useKernels(empty));
  expect([error.name, error.message]).toEqual([
    'RangeError',
    'module: expected ddim-wasm/kernels.wasm, got one with the exports []',
  ]);
});

test('the kernels, before the first use and no later', async () => {
  const { Module } = WebAssembly;
  const refuse = () => {
    throw new Error('bytes were compiled');
  };
  WebAssembly.Module = Object.assign(refuse, { exports: Module.exports }) as unknown as typeof Module;
  try {
    useKernels(kernels);
    // torch.randn(2, generator=torch.Generator().manual_seed(0))
    expect([...new Generator(0).randn([2]).data]).toEqual([1.5409960746765137, -0.293428897857666]);
  } finally {
    WebAssembly.Module = Module;
  }
  const error = await failure(() => useKernels(kernels));
  expect(error.message).toBe('useKernels: the kernels are in use already; call it before anything else');
});
