import { kernelsBase64 } from './bytes.js';

/** What kernels.wasm exports. Pointers are byte offsets; assembly/ documents each function. */
export interface KernelExports {
  memory: WebAssembly.Memory;
  heapBase(): number;
  seed(state: number, seed: number): void;
  rand(state: number, out: number, n: number): void;
  randnBlocks(state: number, out: number, blocks: number): void;
  randnSerial(state: number, out: number, n: number): void;
  skip(state: number, count: number): void;
  linspace(out: number, n: number, start: number, end: number): void;
  square(values: number, n: number): void;
  cosineBetas(out: number, n: number): void;
  alphas(betas: number, alphas: number, cumprod: number, n: number): void;
  rescaleZeroTerminalSnr(betas: number, cumprod: number, n: number): void;
  step(
    prediction: number,
    rederive: boolean,
    n: number,
    output: number,
    sample: number,
    noise: number,
    prev: number,
    x0: number,
    sqrtAlpha: number,
    sqrtBeta: number,
    clip: number,
    sqrtAlphaPrev: number,
    direction: number,
    sigma: number,
  ): void;
  predict(
    prediction: number,
    n: number,
    output: number,
    sample: number,
    x0: number,
    eps: number,
    sqrtAlpha: number,
    sqrtBeta: number,
  ): void;
  rederive(n: number, sample: number, x0: number, eps: number, sqrtAlpha: number, sqrtBeta: number): void;
  combine(n: number, x: number, y: number, out: number, a: number, b: number): void;
  accumulate(n: number, x: number, y: number, b: number): void;
  countMagnitudes(n: number, values: number, counts: number, shift: number, bits: number, prefix: number): void;
  threshold(n: number, values: number, s: number): void;
  toUnit(n: number, x: number, out: number): void;
  toBytes(n: number, x: number, out: number, stride: number): void;
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Compiles and instantiates the kernels: about 12 KB, under a millisecond, and synchronous everywhere. */
export function instantiate(): KernelExports {
  const module = new WebAssembly.Module(decode(kernelsBase64));
  return new WebAssembly.Instance(module).exports as unknown as KernelExports;
}
