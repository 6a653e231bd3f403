// The DDIM update, four elements at a time in the order of DDIMScheduler.step (diffusers 0.26.3), so that every f32
// operation rounds as torch's does. Formulas (12) and (16) of Song et al. 2021 (arXiv:2010.02502).
//
// Buffers are float32 and padded to 16 bytes: the last vector may run over the end. A buffer that is not wanted is 0.

const EPSILON = 0;
const SAMPLE = 1;
const V_PREDICTION = 2;

// Arrays of LARGE bytes or more are walked in several places at once, RUN bytes at each in turn: the processor reads ahead
// at every place, and one step takes half to two thirds of the time of a walk from end to end (bench/NOTES.md). Of all
// arrays together it follows WALKS places. Places are an odd number of KB apart: whole pages would meet in the caches.
// scheduler.step asks for less at a time (src/kernels/arena.ts): this is for whoever has whole arrays in this memory.
const LARGE: usize = 1 << 20;
const WALKS: usize = 12;
const RUN: usize = 512;
const PAGE: usize = 4096;

/** What the model gave, read as x0. */
// @ts-ignore: decorator
@inline
function original(prediction: i32, output: v128, sample: v128, sqrtAlpha: v128, sqrtBeta: v128): v128 {
  if (prediction == SAMPLE) return output;
  if (prediction == V_PREDICTION) return f32x4.sub(f32x4.mul(sqrtAlpha, sample), f32x4.mul(sqrtBeta, output));
  return f32x4.div(f32x4.sub(sample, f32x4.mul(sqrtBeta, output)), sqrtAlpha);
}

/** The noise that separates `sample` from `x0`. */
// @ts-ignore: decorator
@inline
function noiseBetween(sample: v128, x0: v128, sqrtAlpha: v128, sqrtBeta: v128): v128 {
  return f32x4.div(f32x4.sub(sample, f32x4.mul(sqrtAlpha, x0)), sqrtBeta);
}

/** What the model gave, read as noise. */
// @ts-ignore: decorator
@inline
function epsilon(prediction: i32, output: v128, sample: v128, sqrtAlpha: v128, sqrtBeta: v128): v128 {
  if (prediction == SAMPLE) return noiseBetween(sample, output, sqrtAlpha, sqrtBeta);
  if (prediction == V_PREDICTION) return f32x4.add(f32x4.mul(sqrtAlpha, output), f32x4.mul(sqrtBeta, sample));
  return output;
}

/** clamp to [-bound, bound], NaN kept as torch keeps it. pmin and pmax are one instruction each on x86. */
// @ts-ignore: decorator
@inline
export function clamp(x: v128, bound: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, f32x4.neg(bound)), bound);
}

// @ts-ignore: decorator
@inline
function loop(
  prediction: i32, rederive: bool, stochastic: bool,
  n: u32, output: usize, sample: usize, noise: usize, prev: usize, x0: usize,
  a: f32, b: f32, clip: f32, aPrev: f32, direction: f32, sigma: f32,
): void {
  const sqrtAlpha = f32x4.splat(a);
  const sqrtBeta = f32x4.splat(b);
  const bound = f32x4.splat(clip);
  const sqrtAlphaPrev = f32x4.splat(aPrev);
  const towards = f32x4.splat(direction);
  const sd = f32x4.splat(sigma);
  const end = (<usize>n << 2);
  const places = WALKS / (3 + <usize>stochastic + <usize>(x0 != 0));
  const apart = end < LARGE ? end : (end / places + PAGE & ~(PAGE - 1)) + 1024;
  const run = end < LARGE ? end : RUN;
  for (let start: usize = 0; start < apart; start += run) {
    for (let from = start; from < end; from += apart) {
      const to = min(from + run, end);
      for (let i = from; i < to; i += 16) {
        const m = v128.load(output + i);
        const xt = v128.load(sample + i);
        const x = clamp(original(prediction, m, xt, sqrtAlpha, sqrtBeta), bound);
        if (x0) v128.store(x0 + i, x);
        const eps = rederive ? noiseBetween(xt, x, sqrtAlpha, sqrtBeta) : epsilon(prediction, m, xt, sqrtAlpha, sqrtBeta);
        let y = f32x4.add(f32x4.mul(sqrtAlphaPrev, x), f32x4.mul(towards, eps));
        if (stochastic) y = f32x4.add(y, f32x4.mul(sd, v128.load(noise + i)));
        v128.store(prev + i, y);
      }
    }
  }
}

/**
 * One whole step in one pass. `clip` is the clamping range of x0, Infinity for none; `rederive` is
 * use_clipped_model_output; `noise` is 0 when eta is 0; `x0` is 0 when nobody asks for predOriginalSample.
 */
export function step(
  prediction: i32, rederive: bool,
  n: u32, output: usize, sample: usize, noise: usize, prev: usize, x0: usize,
  a: f32, b: f32, clip: f32, aPrev: f32, direction: f32, sigma: f32,
): void {
  if (prediction == EPSILON && !rederive) {
    if (noise) loop(EPSILON, false, true, n, output, sample, noise, prev, x0, a, b, clip, aPrev, direction, sigma);
    else loop(EPSILON, false, false, n, output, sample, noise, prev, x0, a, b, clip, aPrev, direction, sigma);
  } else if (prediction == EPSILON) {
    loop(EPSILON, true, noise != 0, n, output, sample, noise, prev, x0, a, b, clip, aPrev, direction, sigma);
  } else if (prediction == SAMPLE) {
    loop(SAMPLE, rederive, noise != 0, n, output, sample, noise, prev, x0, a, b, clip, aPrev, direction, sigma);
  } else {
    loop(V_PREDICTION, rederive, noise != 0, n, output, sample, noise, prev, x0, a, b, clip, aPrev, direction, sigma);
  }
}

/** First half of a step with dynamic thresholding: x0 before it is thresholded, and the noise. */
export function predict(
  prediction: i32, n: u32, output: usize, sample: usize, x0: usize, eps: usize, a: f32, b: f32,
): void {
  const sqrtAlpha = f32x4.splat(a);
  const sqrtBeta = f32x4.splat(b);
  const end = (<usize>n << 2);
  for (let i: usize = 0; i < end; i += 16) {
    const m = v128.load(output + i);
    const xt = v128.load(sample + i);
    v128.store(x0 + i, original(prediction, m, xt, sqrtAlpha, sqrtBeta));
    v128.store(eps + i, epsilon(prediction, m, xt, sqrtAlpha, sqrtBeta));
  }
}

/** `a * x + b * y`: addNoise, getVelocity (with b < 0: exact) and the last line of a step. */
export function combine(n: u32, x: usize, y: usize, out: usize, a: f32, b: f32): void {
  const va = f32x4.splat(a);
  const vb = f32x4.splat(b);
  const end = (<usize>n << 2);
  for (let i: usize = 0; i < end; i += 16) {
    v128.store(out + i, f32x4.add(f32x4.mul(va, v128.load(x + i)), f32x4.mul(vb, v128.load(y + i))));
  }
}

/** `y + b * x` in place on y: the noise of a step at eta > 0. */
export function accumulate(n: u32, x: usize, y: usize, b: f32): void {
  const vb = f32x4.splat(b);
  const end = (<usize>n << 2);
  for (let i: usize = 0; i < end; i += 16) {
    v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(vb, v128.load(x + i))));
  }
}

/** `(sample - a * x0) / b`: the noise between the two. */
export function rederive(n: u32, sample: usize, x0: usize, eps: usize, a: f32, b: f32): void {
  const sqrtAlpha = f32x4.splat(a);
  const sqrtBeta = f32x4.splat(b);
  const end = (<usize>n << 2);
  for (let i: usize = 0; i < end; i += 16) {
    v128.store(eps + i, noiseBetween(v128.load(sample + i), v128.load(x0 + i), sqrtAlpha, sqrtBeta));
  }
}
