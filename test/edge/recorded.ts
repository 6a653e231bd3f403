// The work of numbers.ts, and what torch and diffusers made of it: see test/fixtures.
import { bitDifference, camelKeys, readJson, readWords, sha256 } from '../support.ts';
import type { NoiseCase, StepCase, Work } from './numbers.ts';

interface TorchNoise {
  cases: { seed?: string; calls: (NoiseCase['calls'][number] & { n: number; sha256: string })[] }[];
}
interface Step extends StepCase {
  noise: 'generator' | 'tensor';
  raises?: string;
  prevSample: number;
}
interface Scheduler {
  cases: { config: Record<string, unknown>; numInferenceSteps: number; steps: Step[] }[];
}

const { cases: drawn } = await readJson<TorchNoise>('noise/torch-noise.json');
const { cases: stepped } = await readJson<Scheduler>('scheduler/scheduler.json');
const words = await readWords('scheduler/scheduler.bin');

const noise = drawn.filter((one): one is (typeof drawn)[number] & { seed: string } => one.seed !== undefined);
const steps = stepped.flatMap(({ config, numInferenceSteps, steps }) =>
  steps
    .filter(({ raises }) => !raises)
    .map((step) => ({ ...step, config: camelKeys(config) as StepCase['config'], numInferenceSteps })),
);
const sizeOf = ({ shape }: Step) => shape.reduce((n, d) => n * d, 1);

export const work: Work = {
  noise: noise.map(({ seed, calls }) => ({ seed, calls: calls.map(({ kind, shape }) => ({ kind, shape })) })),
  steps: steps.map(({ config, numInferenceSteps, timestep, seed, scale, shape, eta, useClippedModelOutput }) => ({
    ...{ config, numInferenceSteps, timestep, seed, scale, shape, eta, useClippedModelOutput },
  })),
};

/** What differs from the recordings; empty when all is equal. */
export function differences(all: Float32Array): string[] {
  const found: string[] = [];
  let at = 0;
  const take = (n: number) => {
    at += n;
    return all.subarray(at - n, at);
  };
  for (const [i, { calls }] of noise.entries()) {
    for (const call of calls) {
      if (sha256(take(call.n)) !== call.sha256) found.push(`noise ${i}: ${call.kind} [${call.shape}]`);
    }
  }
  for (const [i, step] of steps.entries()) {
    const size = sizeOf(step);
    const difference = bitDifference(take(size), words.subarray(step.prevSample, step.prevSample + size));
    if (difference) found.push(`step ${i}: ${difference}`);
  }
  if (at !== all.length) found.push(`${all.length} numbers, not ${at}`);
  return found;
}
