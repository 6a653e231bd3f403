import { fusedModule, kernelsModule } from '#kernels';
import { describe } from '../check.js';

/** What kernels.wasm exports. Pointers are byte offsets; assembly/ documents each function. */
export interface KernelExports {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
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

let given: WebAssembly.Module | undefined;
let instantiated = false;

/**
 * Gives the kernels as a compiled module, for a host that compiles no bytes and whose bundler does not know the package's
 * conditions `workerd` and `edge-light`. Comes before anything else of the package is used.
 * @param module of `ddim-wasm/kernels.wasm`.
 * @throws {TypeError} something else than a module. @throws {RangeError} another module.
 * @throws {Error} when the kernels are in use already.
 * @example
 * import kernels from 'ddim-wasm/kernels.wasm';
 * useKernels(kernels);
 */
export function useKernels(module: object): void {
  if (Object.prototype.toString.call(module) !== '[object WebAssembly.Module]') {
    throw new TypeError(`module: expected a WebAssembly.Module, got ${describe(module)}`);
  }
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  if (!names.includes('randnBlocks')) {
    throw new RangeError(`module: expected ddim-wasm/kernels.wasm, got one with the exports ${describe(names)}`);
  }
  if (instantiated) throw new Error('useKernels: the kernels are in use already; call it before anything else');
  given = module;
}

/** Instantiates the kernels: the module that was given, else the one that suits the platform. */
export function instantiate(): KernelExports {
  instantiated = true;
  return new WebAssembly.Instance(given ?? kernelsModule()).exports as unknown as KernelExports;
}

/** fused.wasm; undefined where the host compiles no bytes, or the engine has no relaxed SIMD. */
export const fused = (): object | undefined => (given ? undefined : fusedModule());
