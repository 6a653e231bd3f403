import type { DDIMSchedulerConfig } from '../config/scheduler.js';
import { type Arena, eachChunk, kernels } from '../kernels/arena.js';
import type { Tensor } from '../tensor.js';
import { imageThreshold } from './threshold.js';

const { fround, sqrt } = Math;
const PREDICTION = { epsilon: 0, sample: 1, v_prediction: 2 } as const;

/** The scalars of a step, each rounded to float32 where torch's zero-dimensional tensors round. */
export interface Coefficients {
  sqrtAlpha: number;
  sqrtBeta: number;
  sqrtAlphaPrev: number;
  /** sigma_t^2 at eta = 1. */
  variance: number;
  /** sigma_t. */
  sigma: number;
  /** sqrt(1 - alphaPrev - sigma_t^2): the weight of the direction pointing to x_t. */
  direction: number;
}

/** Formulas (12) and (16) of the DDIM paper, from alphaCumprod at t and at the step before. */
export function ddimCoefficients(alpha: number, alphaPrev: number, eta: number): Coefficients {
  const beta = fround(1 - alpha);
  const betaPrev = fround(1 - alphaPrev);
  const variance = fround(fround(betaPrev / beta) * fround(1 - fround(alpha / alphaPrev)));
  const sigma = fround(fround(eta) * fround(sqrt(variance)));
  return {
    sqrtAlpha: fround(sqrt(alpha)),
    sqrtBeta: fround(sqrt(beta)),
    sqrtAlphaPrev: fround(sqrt(alphaPrev)),
    variance,
    sigma,
    direction: fround(sqrt(fround(fround(1 - alphaPrev) - fround(sigma * sigma)))),
  };
}

export interface StepResult {
  prevSample: Float32Array;
  /** Empty unless asked for. */
  predOriginalSample: Float32Array;
}

/** The arithmetic of `DDIMScheduler.step` over whole arrays. `noise` is given where eta > 0. */
export function ddimStep(
  config: DDIMSchedulerConfig,
  c: Coefficients,
  modelOutput: Tensor,
  sample: Tensor,
  noise: Float32Array | undefined,
  rederive: boolean,
  wantOriginal: boolean,
): StepResult {
  const n = sample.data.length;
  const prevSample = new Float32Array(n);
  const k = kernels();
  if (config.thresholding) {
    const predOriginalSample = new Float32Array(n);
    const each = n / (sample.shape[0] ?? 1);
    for (let from = 0; from < n; from += each) {
      const image = (values: Float32Array) => values.subarray(from, from + each);
      thresholdedStep(
        k,
        config,
        c,
        image(modelOutput.data),
        image(sample.data),
        noise && image(noise),
        rederive,
        image(predOriginalSample),
        image(prevSample),
      );
    }
    return { prevSample, predOriginalSample };
  }
  const predOriginalSample = new Float32Array(wantOriginal ? n : 0);
  const [m, x, z, prev, x0] = k.buffers as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  const [pm, px, pz, pPrev, p0] = k.pointers as [number, number, number, number, number];
  const clip = config.clipSample ? config.clipSampleRange : Infinity;
  const prediction = PREDICTION[config.predictionType];
  eachChunk(n, (start, count) => {
    m.set(modelOutput.data.subarray(start, start + count));
    x.set(sample.data.subarray(start, start + count));
    if (noise) z.set(noise.subarray(start, start + count));
    k.step(
      prediction,
      rederive,
      count,
      pm,
      px,
      noise ? pz : 0,
      pPrev,
      wantOriginal ? p0 : 0,
      c.sqrtAlpha,
      c.sqrtBeta,
      clip,
      c.sqrtAlphaPrev,
      c.direction,
      c.sigma,
    );
    prevSample.set(prev.subarray(0, count), start);
    if (wantOriginal) predOriginalSample.set(x0.subarray(0, count), start);
  });
  return { prevSample, predOriginalSample };
}

/** The same for one image with dynamic thresholding, whose threshold needs all of x0 first. */
function thresholdedStep(
  k: Arena,
  config: DDIMSchedulerConfig,
  c: Coefficients,
  modelOutput: Float32Array,
  sample: Float32Array,
  noise: Float32Array | undefined,
  rederive: boolean,
  predOriginalSample: Float32Array,
  prevSample: Float32Array,
): void {
  const n = sample.length;
  const [m, x, x0, , out] = k.buffers as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  const [pm, px, p0, pEps, pOut] = k.pointers as [number, number, number, number, number];
  const prediction = PREDICTION[config.predictionType];
  const load = (start: number, count: number) => {
    m.set(modelOutput.subarray(start, start + count));
    x.set(sample.subarray(start, start + count));
    k.predict(prediction, count, pm, px, p0, pEps, c.sqrtAlpha, c.sqrtBeta);
  };
  eachChunk(n, (start, count) => {
    load(start, count);
    predOriginalSample.set(x0.subarray(0, count), start);
  });
  const s = imageThreshold(predOriginalSample, config.dynamicThresholdingRatio, config.sampleMaxValue);
  eachChunk(n, (start, count) => {
    load(start, count);
    k.threshold(count, p0, s);
    if (rederive) k.rederive(count, px, p0, pEps, c.sqrtAlpha, c.sqrtBeta);
    k.combine(count, p0, pEps, pOut, c.sqrtAlphaPrev, c.direction);
    if (noise) {
      m.set(noise.subarray(start, start + count));
      k.accumulate(count, pm, pOut, c.sigma);
    }
    predOriginalSample.set(x0.subarray(0, count), start);
    prevSample.set(out.subarray(0, count), start);
  });
}

/** `a * x + b * y` into `out`, all of one length. */
export function mix(x: Float32Array, y: Float32Array, out: Float32Array, a: number, b: number): void {
  const k = kernels();
  const [bx, by, result] = k.buffers as [Float32Array, Float32Array, Float32Array];
  const [px, py, pOut] = k.pointers as [number, number, number];
  eachChunk(out.length, (start, count) => {
    bx.set(x.subarray(start, start + count));
    by.set(y.subarray(start, start + count));
    k.combine(count, px, py, pOut, a, b);
    out.set(result.subarray(0, count), start);
  });
}
