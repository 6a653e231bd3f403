// DDIMScheduler against recordings of diffusers' on torch: see test/fixtures/scheduler and test/fixtures/configs.
// Everything here is equal to the bit.

import { readFile } from 'node:fs/promises';
import { DDIMScheduler, Generator } from 'ddim-wasm';
import {
  bitDifference,
  bitsOf,
  camelKeys,
  fixture,
  numbers,
  readInt16s,
  readJson,
  readWords,
  scaled,
  sha256,
  withDirectory,
} from '../support.ts';

interface Step {
  timestep: number;
  seed: number;
  scale: number;
  shape: number[];
  eta: number;
  useClippedModelOutput: boolean;
  noise: 'generator' | 'tensor';
  raises?: string;
  prevSample: number;
  predOriginalSample: number;
  variance: number;
}

interface Case {
  config: Record<string, unknown>;
  betas: string;
  alphas: string;
  alphasCumprod: string;
  finalAlphaCumprod: number;
  numInferenceSteps: number;
  timesteps: { length: number; first: number; last: number; sha256: string };
  steps: Step[];
  noising: { seed: number; shape: number[]; timesteps: number[]; addNoise: number; getVelocity: number };
}

interface Recording {
  cases: Case[];
  lengths: Record<string, { config: Record<string, unknown>; from: number; betas: string; alphasCumprod: string }>;
}

interface Timesteps {
  entries: ['leading' | 'trailing' | 'linspace', number, number, number, number][];
  every: Record<string, { from: number; to: number; sha256: string }>;
}

interface Configs {
  compatibles: string[];
  entries: {
    name: string;
    file: string;
    config: Record<string, unknown>;
    overridden: Record<string, unknown>;
    timestepsOf10: number[];
    finalAlphaCumprod: number;
    lastAlphaCumprod: number;
    saved: string;
  }[];
}

const recording = await readJson<Recording>('scheduler/scheduler.json');
const words = await readWords('scheduler/scheduler.bin');
const label = (c: Case) =>
  Object.entries(c.config)
    .map(([key, value]) => `${key}=${Array.isArray(value) ? `${value.length} values` : value}`)
    .join(' ') || 'defaults';
const cases = recording.cases.map((c, i) => [`${i}: ${label(c)}`, c] as const);

function recorded(offset: number, shape: number[]): Uint32Array {
  return words.subarray(offset, offset + shape.reduce((n, d) => n * d, 1));
}

describe.each(cases)('%s', (_, c) => {
  const make = () => {
    const scheduler = new DDIMScheduler(camelKeys(c.config));
    scheduler.setTimesteps(c.numInferenceSteps);
    return scheduler;
  };

  test('schedule and timesteps', () => {
    const scheduler = make();
    const { timesteps } = scheduler;
    expect(sha256(bitsOf(scheduler.betas))).toBe(c.betas);
    expect(sha256(bitsOf(scheduler.alphas))).toBe(c.alphas);
    expect(sha256(bitsOf(scheduler.alphasCumprod))).toBe(c.alphasCumprod);
    expect(bitsOf(Float32Array.of(scheduler.finalAlphaCumprod))[0]).toBe(c.finalAlphaCumprod);
    expect({
      length: timesteps.length,
      first: timesteps[0],
      last: timesteps.at(-1),
      sha256: sha256(timesteps),
    }).toEqual(c.timesteps);
  });

  test.each(c.steps)('step from $timestep, eta $eta, clipped $useClippedModelOutput, shape $shape', (step) => {
    const scheduler = make();
    const inputs = new Generator(step.seed);
    const sample = scaled(inputs.randn(step.shape), step.scale);
    const modelOutput = inputs.randn(step.shape);
    const generator = new Generator(step.seed + 1_000_000);
    const options = {
      eta: step.eta,
      useClippedModelOutput: step.useClippedModelOutput,
      ...(step.noise === 'generator' ? { generator } : { varianceNoise: generator.randn(step.shape) }),
    };
    if (step.raises) {
      expect(() => scheduler.step(modelOutput, step.timestep, sample, options)).toThrow(RangeError);
      return;
    }
    const { prevSample, predOriginalSample } = scheduler.step(modelOutput, step.timestep, sample, options);
    expect({
      predOriginalSample: bitDifference(predOriginalSample.data, recorded(step.predOriginalSample, step.shape)),
      prevSample: bitDifference(prevSample.data, recorded(step.prevSample, step.shape)),
    }).toEqual({ predOriginalSample: '', prevSample: '' });
    expect([prevSample.shape, predOriginalSample.shape].map(numbers)).toEqual([step.shape, step.shape]);
    const ratio = Math.floor(scheduler.length / c.numInferenceSteps);
    if (step.timestep >= 0) {
      const variance = scheduler.getVariance(step.timestep, step.timestep - ratio);
      expect(bitsOf(Float32Array.of(variance))[0]).toBe(step.variance);
    }
  });

  test('addNoise and getVelocity', () => {
    const { seed, shape, timesteps, addNoise, getVelocity } = c.noising;
    const scheduler = new DDIMScheduler(camelKeys(c.config));
    const inputs = new Generator(seed);
    const [original, noise] = [inputs.randn(shape), inputs.randn(shape)];
    expect({
      addNoise: bitDifference(scheduler.addNoise(original, noise, timesteps).data, recorded(addNoise, shape)),
      getVelocity: bitDifference(scheduler.getVelocity(original, noise, timesteps).data, recorded(getVelocity, shape)),
    }).toEqual({ addNoise: '', getVelocity: '' });
  });
});

describe('schedules of every length', () => {
  test.each(Object.entries(recording.lengths))('%s', (_, { config, from, betas, alphasCumprod }) => {
    const different: number[] = [];
    for (let i = 0; i < betas.length / 8; i++) {
      const scheduler = new DDIMScheduler({ ...camelKeys(config), numTrainTimesteps: from + i });
      const same =
        sha256(bitsOf(scheduler.betas)).slice(0, 8) === betas.slice(8 * i, 8 * i + 8) &&
        sha256(bitsOf(scheduler.alphasCumprod)).slice(0, 8) === alphasCumprod.slice(8 * i, 8 * i + 8);
      if (!same) different.push(from + i);
    }
    expect(different).toEqual([]);
  });
});

describe('timesteps', () => {
  const spacings = ['leading', 'trailing', 'linspace'] as const;

  test.each(spacings)('%s', async (spacing) => {
    const { entries } = await readJson<Timesteps>('scheduler/timesteps.json');
    const values = await readInt16s('scheduler/timesteps.bin');
    const schedulers = new Map<number, DDIMScheduler>();
    for (const [, train, n, offset, length] of entries.filter(([name]) => name === spacing)) {
      const scheduler =
        schedulers.get(train) ?? new DDIMScheduler({ numTrainTimesteps: train, timestepSpacing: spacing });
      schedulers.set(train, scheduler);
      scheduler.setTimesteps(n);
      expect([train, n, ...scheduler.timesteps]).toEqual([train, n, ...values.subarray(offset, offset + length)]);
      expect(scheduler.numInferenceSteps).toBe(n);
    }
  });

  test.each(spacings)('%s, every number of steps of 1000', async (spacing) => {
    const { every } = await readJson<Timesteps>('scheduler/timesteps.json');
    const scheduler = new DDIMScheduler({ timestepSpacing: spacing });
    const all: number[] = [];
    for (let n = 1; n <= 1000; n++) {
      scheduler.setTimesteps(n);
      all.push(...scheduler.timesteps);
    }
    expect(sha256(Int32Array.from(all))).toBe(every[spacing]?.sha256);
  });

  test('before setTimesteps: all of them, from the last', () => {
    const { timesteps } = new DDIMScheduler({ numTrainTimesteps: 5 });
    expect(numbers(timesteps)).toEqual([4, 3, 2, 1, 0]);
  });
});

const configs = await readJson<Configs>('configs/configs.json');

describe.each(configs.entries.map((entry) => [entry.name, entry] as const))('configuration of %s', (name, entry) => {
  const warn = console.warn;
  beforeEach(() => {
    console.warn = () => {};
  });
  afterEach(() => {
    console.warn = warn;
  });
  const directory = fixture(`configs/${name}`);

  test('fromPretrained reads what diffusers saved', async () => {
    const scheduler = await DDIMScheduler.fromPretrained(directory);
    expect(comparable(scheduler.config)).toEqual(entry.config);
    scheduler.setTimesteps(Math.min(10, scheduler.length));
    expect(numbers(scheduler.timesteps)).toEqual(entry.timestepsOf10);
    expect(scheduler.finalAlphaCumprod).toBe(Math.fround(entry.finalAlphaCumprod));
    expect(scheduler.alphasCumprod.at(-1)).toBe(Math.fround(entry.lastAlphaCumprod));
  });

  test('fromConfig takes overrides', async () => {
    const scheduler = await DDIMScheduler.fromPretrained(directory);
    const overridden = DDIMScheduler.fromConfig(scheduler.config, { timestepSpacing: 'linspace', clipSample: false });
    expect(comparable(overridden.config)).toEqual(entry.overridden);
    // and the other stays as it was
    expect(comparable(scheduler.config)).toEqual(entry.config);
  });

  test("savePretrained writes diffusers' file, byte for byte", async () => {
    const scheduler = await DDIMScheduler.fromPretrained(directory);
    await withDirectory(async (folder) => {
      await scheduler.savePretrained(folder);
      expect(await readFile(`${folder}/scheduler_config.json`, 'utf8')).toBe(entry.saved);
      const again = await DDIMScheduler.fromPretrained(folder);
      expect(comparable(again.config)).toEqual(entry.config);
    });
  });
});

test('compatibles', () => {
  expect([...new DDIMScheduler().compatibles].sort()).toEqual(configs.compatibles);
});

/** A configuration in snake_case, as recorded: without the underscored keys, infinities as `{ float }`. */
function comparable(config: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config)
      .filter(([key]) => !key.startsWith('_'))
      .map(([key, value]) => [
        key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
        value === -Infinity ? { float: '-inf' } : ArrayBuffer.isView(value) ? [...(value as Float64Array)] : value,
      ]),
  );
}
