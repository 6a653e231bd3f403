import type { DDIMSchedulerConfig } from '../config/scheduler.js';

/** Round to nearest, halves to even, as numpy's. */
function rint(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * `DDIMScheduler.set_timesteps`: Table 2 of Lin et al. 2023 (arXiv:2305.08891), in numpy's float64 arithmetic.
 * The result may exceed T - 1 with 'leading' and a steps offset; stepping there is an error, as in diffusers.
 */
export function spreadTimesteps(
  config: Pick<DDIMSchedulerConfig, 'numTrainTimesteps' | 'stepsOffset' | 'timestepSpacing'>,
  steps: number,
): Int32Array {
  const total = config.numTrainTimesteps;
  if (config.timestepSpacing === 'linspace') {
    // numpy.linspace(0, T - 1, n): i * step, the last one exact.
    const step = (total - 1) / (steps - 1);
    return Int32Array.from({ length: steps }, (_, i) => {
      const index = steps - 1 - i;
      if (index === 0) return 0;
      return rint(index === steps - 1 ? total - 1 : index * step);
    });
  }
  if (config.timestepSpacing === 'leading') {
    const ratio = Math.floor(total / steps);
    return Int32Array.from({ length: steps }, (_, i) => (steps - 1 - i) * ratio + config.stepsOffset);
  }
  // numpy.arange(T, 0, -T / n): ceil((stop - start) / step) values, spaced by the rounded difference of the first two.
  const ratio = total / steps;
  const delta = total - ratio - total;
  return Int32Array.from({ length: Math.ceil(-total / -ratio) }, (_, i) => rint(total + i * delta) - 1);
}
