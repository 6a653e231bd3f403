import type { DDIMSchedulerConfig } from '../config/scheduler.js';
import { kernels } from '../kernels/arena.js';

/** The arrays a scheduler is made of, each of length T (or of trainedBetas). */
export interface Schedule {
  betas: Float32Array;
  alphas: Float32Array;
  alphasCumprod: Float32Array;
}

/** Betas and what follows from them, in torch's float32: `DDIMScheduler.__init__` of diffusers 0.26.3. */
export function betaSchedule(config: DDIMSchedulerConfig): Schedule {
  const { trainedBetas, numTrainTimesteps, betaStart, betaEnd, rescaleBetasZeroSnr } = config;
  const n = trainedBetas?.length ?? numTrainTimesteps;
  const k = kernels();
  const [betas, alphas, cumprod] = k.pointers as [number, number, number];
  if (trainedBetas) {
    k.buffers[0]?.set(trainedBetas);
  } else if (config.betaSchedule === 'squaredcos_cap_v2') {
    k.cosineBetas(betas, n);
  } else if (config.betaSchedule === 'scaled_linear') {
    k.linspace(betas, n, Math.sqrt(betaStart), Math.sqrt(betaEnd));
    k.square(betas, n);
  } else {
    k.linspace(betas, n, betaStart, betaEnd);
  }
  k.alphas(betas, alphas, cumprod, n);
  if (rescaleBetasZeroSnr) {
    k.rescaleZeroTerminalSnr(betas, cumprod, n);
    k.alphas(betas, alphas, cumprod, n);
  }
  const [b, a, c] = k.buffers.map((view) => view.slice(0, n)) as [Float32Array, Float32Array, Float32Array];
  return { betas: b, alphas: a, alphasCumprod: c };
}
