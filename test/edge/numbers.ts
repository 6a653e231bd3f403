// Noise and steps as test/fixtures recorded them, computed wherever this is bundled for: draws and samples end to end.
import { DDIMScheduler, type DDIMSchedulerConfig, Generator, type Tensor } from 'ddim-wasm/scheduler';

export interface NoiseCase {
  seed: string;
  calls: { kind: 'randn' | 'rand'; shape: number[] }[];
}

export interface StepCase {
  config: Partial<DDIMSchedulerConfig>;
  numInferenceSteps: number;
  timestep: number;
  seed: number;
  scale: number;
  shape: number[];
  eta: number;
  useClippedModelOutput: boolean;
}

function draw({ seed, calls }: NoiseCase): Tensor[] {
  const generator = new Generator(BigInt(seed));
  return calls.map(({ kind, shape }) => generator[kind](shape));
}

function step({ config, numInferenceSteps, timestep, seed, scale, shape, eta, ...rest }: StepCase): Tensor[] {
  const scheduler = new DDIMScheduler(config);
  scheduler.setTimesteps(numInferenceSteps);
  const inputs = new Generator(seed);
  const sample = inputs.randn(shape);
  for (const i of sample.data.keys()) sample.data[i] = (sample.data[i] as number) * scale;
  const varianceNoise = new Generator(seed + 1_000_000).randn(shape);
  const { prevSample } = scheduler.step(inputs.randn(shape), timestep, sample, { ...rest, eta, varianceNoise });
  return [prevSample];
}

export interface Work {
  noise: NoiseCase[];
  steps: StepCase[];
}

export function compute({ noise, steps }: Work): Float32Array {
  const tensors = [...noise.flatMap(draw), ...steps.flatMap(step)];
  const all = new Float32Array(tensors.reduce((n, { data }) => n + data.length, 0));
  let at = 0;
  for (const { data } of tensors) {
    all.set(data, at);
    at += data.length;
  }
  return all;
}
