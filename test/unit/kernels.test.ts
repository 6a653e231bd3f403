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

interface Exports {
  memory: WebAssembly.Memory;
  heapBase(): number;
  step(...args: (number | boolean)[]): void;
}

// In parts of 16,384 it is scheduler.step, which test/parity compares with diffusers.
test.each([262_143, 262_144, 300_001, 1_000_003, 3_145_728])('a step on %i elements, whole and in parts', async (n) => {
  const { exports } = new WebAssembly.Instance(kernels) as unknown as { exports: Exports };
  const bytes = (4 * n + 63) & ~63;
  const first = (exports.heapBase() + 63) & ~63;
  const names = ['output', 'sample', 'noise', 'prev', 'x0', 'prevOfParts', 'x0OfParts'] as const;
  exports.memory.grow(Math.ceil((first + names.length * bytes) / 65536));
  const at = Object.fromEntries(names.map((name, i) => [name, first + i * bytes])) as Record<
    (typeof names)[number],
    number
  >;
  const values = (address: number) => new Uint8Array(exports.memory.buffer, address, bytes);
  const inputs = new Float32Array(exports.memory.buffer, first, (3 * bytes) / 4);
  for (let i = 0; i < inputs.length; i++) inputs[i] = ((i * 7919) % 6007) / 1000 - 3;
  const part = 16_384;
  for (const [prediction, rederive, noise, x0] of [
    [0, false, false, false],
    [0, false, true, true],
    [0, true, true, false],
    [1, false, false, true],
    [2, true, true, true],
  ] as const) {
    const step = (from: number, count: number, prev: number, original: number) => {
      const z = noise ? at.noise + from : 0;
      const weights = [0.6, 0.8, 1, 0.7, 0.5, 0.2];
      exports.step(prediction, rederive, count, at.output + from, at.sample + from, z, prev, original, ...weights);
    };
    step(0, n, at.prev, x0 ? at.x0 : 0);
    for (let i = 0; i < n; i += part) {
      step(4 * i, Math.min(part, n - i), at.prevOfParts + 4 * i, x0 ? at.x0OfParts + 4 * i : 0);
    }
    expect(Buffer.compare(values(at.prev), values(at.prevOfParts))).toBe(0);
    if (x0) expect(Buffer.compare(values(at.x0), values(at.x0OfParts))).toBe(0);
  }
});
