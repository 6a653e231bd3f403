// Noise schedules in torch's float32 results. Sources: DDIMScheduler.__init__, betas_for_alpha_bar and
// rescale_zero_terminal_snr of diffusers 0.26.3; linspace and cumprod of ATen.
import { cosTurned } from './elementary';

// @ts-ignore: decorator
@inline
function fma(a: f32, b: f32, c: f32): f32 {
  return <f32>(<f64>a * <f64>b + <f64>c);
}

// @ts-ignore: decorator
@inline
function at(base: usize, i: u32): usize {
  return base + (<usize>i << 2);
}

/**
 * `torch.linspace(start, end, n)` as RangeFactoriesKernel.cpp computes it with AVX2: counted from the nearer end, in
 * vectors of 8 taken two at a time (one fused multiply-add for the first lane, then a plain product and sum), and a
 * fused multiply-add for each element left over.
 */
export function linspace(out: usize, n: u32, start: f32, end: f32): void {
  if (n == 1) return store<f32>(out, start);
  const step = (end - start) / <f32>(n - 1);
  const half = n >> 1;
  const vectors = n & ~15;
  for (let i: u32 = 0; i < vectors; i += 8) {
    const base = i < half ? fma(step, <f32>i, start) : fma(-step, <f32>(n - i - 1), end);
    for (let lane: u32 = 0; lane < 8; lane++) store<f32>(at(out, i + lane), base + <f32>lane * step);
  }
  for (let i: u32 = vectors; i < n; i++) {
    store<f32>(at(out, i), i < half ? fma(step, <f32>i, start) : fma(-step, <f32>(n - i - 1), end));
  }
}

/** Squares in place: `betas ** 2` of the scaled_linear schedule. */
export function square(values: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const v = load<f32>(at(values, i));
    store<f32>(at(values, i), v * v);
  }
}

function alphaBar(t: f64): f64 {
  const c = cosTurned((((t + 0.008) / 1.008) * Math.PI) / 2, 0);
  return c * c;
}

/** squaredcos_cap_v2 (Nichol and Dhariwal 2021): in float64, each beta at most 0.999, rounded at the end. */
export function cosineBetas(out: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const beta = 1 - alphaBar(<f64>(i + 1) / <f64>n) / alphaBar(<f64>i / <f64>n);
    store<f32>(at(out, i), <f32>min(beta, 0.999));
  }
}

/** alphas = 1 - betas and their running product, which ATen accumulates in float64. */
export function alphas(betas: usize, alphas: usize, cumprod: usize, n: u32): void {
  let product: f64 = 1;
  for (let i: u32 = 0; i < n; i++) {
    const alpha = <f32>1 - load<f32>(at(betas, i));
    store<f32>(at(alphas, i), alpha);
    product *= <f64>alpha;
    store<f32>(at(cumprod, i), <f32>product);
  }
}

/** Algorithm 1 of Lin et al. 2023 (arXiv:2305.08891): betas whose last alphaCumprod is 0. `cumprod` is overwritten. */
export function rescaleZeroTerminalSnr(betas: usize, cumprod: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) store<f32>(at(cumprod, i), sqrt<f32>(load<f32>(at(cumprod, i))));
  const first = load<f32>(cumprod);
  const last = load<f32>(at(cumprod, n - 1));
  const scale = first / (first - last);
  let previous: f32 = 1;
  for (let i: u32 = 0; i < n; i++) {
    const root = (load<f32>(at(cumprod, i)) - last) * scale;
    const bar = root * root;
    store<f32>(at(betas, i), <f32>1 - (i ? bar / previous : bar));
    previous = bar;
  }
}
