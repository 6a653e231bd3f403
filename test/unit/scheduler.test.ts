// The tests of diffusers 0.26.3 for its DDIMScheduler, tests/schedulers/test_scheduler_ddim.py, and those it inherits from
// tests/schedulers/test_schedulers.py where they have a meaning here. The expected numbers and tolerances are theirs.

import { access } from 'node:fs/promises';
import { DDIMScheduler, type DDIMSchedulerConfig, Generator, type Tensor } from 'ddim-wasm';
import { failure, maxDifference, numbers, scaled, tensor, withDirectory } from '../support.ts';

type Config = Partial<DDIMSchedulerConfig>;

const base: Config = {
  numTrainTimesteps: 1000,
  betaStart: 0.0001,
  betaEnd: 0.02,
  betaSchedule: 'linear',
  clipSample: true,
};
const make = (config: Config = {}) => new DDIMScheduler({ ...base, ...config });
const shape = [4, 3, 8, 8];
const dummySample = () => new Generator(0).rand(shape);

/** arange(768) laid out as (3, 8, 8, 4), divided by its size, the last dimension brought to the front. */
const dummySampleDeter = () =>
  tensor(shape, (i) => {
    const [n, rest] = [Math.floor(i / 192), i % 192];
    return (rest * 4 + n) / 768;
  });
/** The same from the other end: arange(768).flip(-1). */
const dummyNoiseDeter = () =>
  tensor(shape, (i) => {
    const [n, rest] = [Math.floor(i / 192), i % 192];
    return (767 - (rest * 4 + n)) / 768;
  });
const dummyModel = (sample: Tensor, t: number) =>
  tensor(sample.shape, (i) => Math.fround((sample.data[i] as number) * t) / (t + 1));

function sumAndMean({ data }: Tensor): [number, number] {
  const sum = data.reduce((total, v) => total + Math.abs(v), 0);
  return [sum, sum / data.length];
}

function fullLoop(config: Config = {}): Tensor {
  const scheduler = make(config);
  let sample = dummySampleDeter();
  scheduler.setTimesteps(10);
  for (const t of scheduler.timesteps) {
    sample = scheduler.step(dummyModel(sample, t), t, sample, { eta: 0 }).prevSample;
  }
  return sample;
}

async function saved(scheduler: DDIMScheduler): Promise<DDIMScheduler> {
  return withDirectory(async (directory) => {
    await scheduler.savePretrained(directory);
    return DDIMScheduler.fromPretrained(directory);
  });
}

/** A scheduler and the one that was saved and loaded again step alike. */
async function checkOver(config: Config, { timestep = 0, steps = 50, eta = 0 } = {}): Promise<void> {
  const scheduler = make(config);
  const other = await saved(scheduler);
  const sample = dummySample();
  const residual = scaled(sample, 0.1);
  scheduler.setTimesteps(steps);
  other.setTimesteps(steps);
  const a = scheduler.step(residual, timestep, sample, { eta, generator: new Generator(0) }).prevSample;
  const b = other.step(residual, timestep, sample, { eta, generator: new Generator(0) }).prevSample;
  expect(numbers(a.data)).toEqual(numbers(b.data));
}

describe('test_scheduler_ddim.py', () => {
  test.each([100, 500, 1000])('test_timesteps %i', (numTrainTimesteps) => checkOver({ numTrainTimesteps }));

  test.each([0, 1])('test_steps_offset %i', (stepsOffset) => checkOver({ stepsOffset }));

  test('test_steps_offset: the timesteps', () => {
    const scheduler = make({ stepsOffset: 1 });
    scheduler.setTimesteps(5);
    expect(numbers(scheduler.timesteps)).toEqual([801, 601, 401, 201, 1]);
  });

  test.each([
    [0.0001, 0.002],
    [0.001, 0.02],
    [0.01, 0.2],
    [0.1, 2],
  ])('test_betas %d to %d', (betaStart, betaEnd) => checkOver({ betaStart, betaEnd }));

  test.each(['linear', 'scaled_linear', 'squaredcos_cap_v2'] as const)('test_schedules %s', (betaSchedule) =>
    checkOver({ betaSchedule }),
  );

  test.each(['epsilon', 'sample', 'v_prediction'] as const)('test_prediction_type %s', (predictionType) =>
    checkOver({ predictionType }),
  );

  test.each([true, false])('test_clip_sample %s', (clipSample) => checkOver({ clipSample }));

  test.each(['trailing', 'leading', 'linspace'] as const)('test_timestep_spacing %s', (timestepSpacing) =>
    checkOver({ timestepSpacing }),
  );

  test.each([true, false])('test_rescale_betas_zero_snr %s', (rescaleBetasZeroSnr) =>
    checkOver({ rescaleBetasZeroSnr }),
  );

  test('test_thresholding: off', () => checkOver({ thresholding: false }));

  test.each([0.5, 1, 2].flatMap((max) => (['epsilon', 'v_prediction'] as const).map((type) => [max, type] as const)))(
    'test_thresholding: up to %d, %s',
    (sampleMaxValue, predictionType) => checkOver({ thresholding: true, predictionType, sampleMaxValue }),
  );

  test.each([1, 10, 49])('test_time_indices %i', (timestep) => checkOver({}, { timestep }));

  test.each([
    [1, 10],
    [10, 50],
    [50, 500],
  ])('test_inference_steps %i of %i', (timestep, steps) => checkOver({}, { timestep, steps }));

  test.each([
    [1, 0],
    [10, 0.5],
    [49, 1],
  ])('test_eta at %i: %d', (timestep, eta) => checkOver({}, { timestep, eta }));

  test.each([
    [0, 0, 0],
    [420, 400, 0.14771],
    [980, 960, 0.3246],
    [487, 486, 0.00979],
    [999, 998, 0.02],
  ])('test_variance from %i to %i: %d', (timestep, prevTimestep, expected) => {
    expect(Math.abs(make().getVariance(timestep, prevTimestep) - expected)).toBeLessThan(1e-5);
  });

  test.each<[string, Config, number, number]>([
    ['no_noise', {}, 172.0067, 0.223967],
    ['with_v_prediction', { predictionType: 'v_prediction' }, 52.5302, 0.0684],
    ['with_set_alpha_to_one', { setAlphaToOne: true, betaStart: 0.01 }, 149.8295, 0.1951],
    ['with_no_set_alpha_to_one', { setAlphaToOne: false, betaStart: 0.01 }, 149.0784, 0.1941],
  ])('test_full_loop_%s', (_, config, sum, mean) => {
    const [resultSum, resultMean] = sumAndMean(fullLoop(config));
    expect(Math.abs(resultSum - sum)).toBeLessThan(1e-2);
    expect(Math.abs(resultMean - mean)).toBeLessThan(1e-3);
  });

  test('test_full_loop_with_noise', () => {
    const scheduler = make();
    scheduler.setTimesteps(10);
    const timesteps = scheduler.timesteps.slice(8 * scheduler.order);
    let sample = scheduler.addNoise(dummySampleDeter(), dummyNoiseDeter(), [timesteps[0] as number]);
    for (const t of timesteps) sample = scheduler.step(dummyModel(sample, t), t, sample, { eta: 0 }).prevSample;
    const [sum, mean] = sumAndMean(sample);
    expect(Math.abs(sum - 354.5418)).toBeLessThan(1e-2);
    expect(Math.abs(mean - 0.4616)).toBeLessThan(1e-3);
  });

  test('test_num_inference_steps_zero_raises', () => {
    expect(() => make().setTimesteps(0)).toThrow(RangeError);
  });
});

describe('test_schedulers.py', () => {
  test('test_from_save_pretrained', () => checkOver({}, { timestep: 1 }));

  test('test_from_pretrained: the configuration comes back', async () => {
    const scheduler = make({ clipSampleRange: 2, trainedBetas: [0.1, 0.2] });
    const loaded = await saved(scheduler);
    for (const [key, value] of Object.entries(scheduler.config))
      expect([key, loaded.config[key]]).toEqual([key, value]);
  });

  test('test_compatibles', () => {
    const scheduler = make();
    expect(scheduler.compatibles).toContain('DDIMScheduler');
    expect(scheduler.compatibles.every((name) => typeof name === 'string' && name.endsWith('Scheduler'))).toBe(true);
    const again = DDIMScheduler.fromConfig(scheduler.config);
    expect(again.config).toEqual(scheduler.config);
  });

  test('test_step_shape', () => {
    const scheduler = make();
    const sample = dummySample();
    scheduler.setTimesteps(50);
    const at0 = scheduler.step(scaled(sample, 0.1), 0, sample).prevSample;
    const at1 = scheduler.step(scaled(sample, 0.1), 1, sample).prevSample;
    expect([at0, at1].map((t) => numbers(t.shape))).toEqual([shape, shape]);
    expect([at0, at1].map((t) => t.data.length)).toEqual([768, 768]);
  });

  test('test_scheduler_outputs_equivalence', () => {
    const scheduler = make();
    const sample = dummySample();
    scheduler.setTimesteps(50);
    const options = () => ({ generator: new Generator(0), eta: 0.7 });
    const dict = scheduler.step(scaled(sample, 0.1), 20, sample, options());
    const tuple = scheduler.step(scaled(sample, 0.1), 20, sample, { ...options(), returnDict: false });
    expect(tuple.length).toBe(1);
    expect(numbers(tuple[0].data)).toEqual(numbers(dict.prevSample.data));
  });

  test('test_scheduler_public_api', () => {
    const scheduler = make();
    expect(scheduler.initNoiseSigma).toBe(1);
    expect(scheduler.order).toBe(1);
    expect(scheduler.length).toBe(1000);
    expect(scheduler.numInferenceSteps).toBeNull();
    const sample = dummySample();
    const input = scheduler.scaleModelInput(sample, 0);
    expect(numbers(input.shape)).toEqual(shape);
    expect(numbers(input.data)).toEqual(numbers(sample.data));
  });

  test('test_add_noise_device', () => {
    const scheduler = make();
    scheduler.setTimesteps(100);
    const noised = scheduler.addNoise(dummySample(), new Generator(1).randn(shape), [scheduler.timesteps[5] as number]);
    expect(numbers(noised.shape)).toEqual(shape);
  });

  test('test_trained_betas', async () => {
    const scheduler = make({ trainedBetas: [0.1, 0.3] });
    const loaded = await saved(scheduler);
    expect(numbers(scheduler.betas)).toEqual([Math.fround(0.1), Math.fround(0.3)]);
    expect(numbers(loaded.betas)).toEqual(numbers(scheduler.betas));
  });

  test('trained betas as a typed array are those of a list', () => {
    const list = make({ trainedBetas: [0.1, 0.3] });
    const typed = make({ trainedBetas: Float64Array.of(0.1, 0.3) as unknown as number[] });
    expect(numbers(typed.betas)).toEqual(numbers(list.betas));
  });

  test('defaults: those of diffusers, over what a configuration lacks', () => {
    const { config } = DDIMScheduler.fromConfig({ num_train_timesteps: 20 });
    expect(config).toMatchObject({
      numTrainTimesteps: 20,
      betaStart: 0.0001,
      betaEnd: 0.02,
      betaSchedule: 'linear',
      trainedBetas: null,
      clipSample: true,
      setAlphaToOne: true,
      stepsOffset: 0,
      predictionType: 'epsilon',
      thresholding: false,
      dynamicThresholdingRatio: 0.995,
      clipSampleRange: 1,
      sampleMaxValue: 1,
      timestepSpacing: 'leading',
      rescaleBetasZeroSnr: false,
    });
  });

  test('unknown keys are warned about and kept, as test_save_load_from_different_config has it', async () => {
    const warnings: string[] = [];
    const warn = console.warn;
    console.warn = (...message: unknown[]) => warnings.push(message.join(' '));
    try {
      const scheduler = DDIMScheduler.fromConfig({ unexpected: true, use_karras_sigmas: false });
      expect(scheduler.config.unexpected).toBe(true);
      expect(scheduler.config.use_karras_sigmas).toBe(false);
      expect(warnings.length).toBe(1);
      expect(warnings[0]).toMatch(/unexpected/);
      expect(warnings[0]).not.toMatch(/karras/);
      expect((await saved(scheduler)).config.unexpected).toBe(true);
    } finally {
      console.warn = warn;
    }
  });
});

describe('the scheduler keeps its hands off what it is given', () => {
  test('step, addNoise and getVelocity do not write to their arguments', () => {
    for (const config of [{}, { thresholding: true }] satisfies Config[]) {
      const scheduler = make(config);
      scheduler.setTimesteps(50);
      const [sample, output, noise] = [1, 2, 3].map((seed) => new Generator(seed).randn(shape)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const before = [sample, output, noise].map(({ data }) => data.slice());
      const { prevSample } = scheduler.step(output, 500, sample, {
        eta: 1,
        varianceNoise: noise,
        useClippedModelOutput: true,
      });
      scheduler.addNoise(sample, noise, [1]);
      scheduler.getVelocity(sample, noise, [1]);
      for (const [i, { data }] of [sample, output, noise].entries()) {
        expect(maxDifference(data, before[i] as Float32Array)).toBe(0);
      }
      expect(prevSample.data).not.toBe(sample.data);
    }
  });

  test('results are arrays of their own: a later step does not change them', () => {
    const scheduler = make();
    scheduler.setTimesteps(50);
    const sample = dummySample();
    const first = scheduler.step(sample, 500, sample);
    const copies = [first.prevSample.data.slice(), first.predOriginalSample.data.slice()];
    scheduler.step(scaled(sample, 3), 20, sample);
    expect(numbers(first.prevSample.data)).toEqual(numbers(copies[0] as Float32Array));
    expect(numbers(first.predOriginalSample.data)).toEqual(numbers(copies[1] as Float32Array));
  });

  test('the configuration is frozen', () => {
    const { config } = make();
    expect(Object.isFrozen(config)).toBe(true);
    expect(() => Object.assign(config, { clipSample: false })).toThrow(TypeError);
  });

  test('trained betas given are not kept', () => {
    const trainedBetas = [0.1, 0.2];
    const scheduler = make({ trainedBetas });
    trainedBetas[0] = 0.9;
    expect(scheduler.config.trainedBetas).toEqual([0.1, 0.2]);
  });
});

describe('step', () => {
  test('a plain object is a tensor; any shape will do', () => {
    const scheduler = make();
    scheduler.setTimesteps(10);
    for (const dims of [[1], [7], [2, 3], [1, 1, 1, 1], [2, 2, 2, 2, 2]]) {
      const sample = new Generator(0).randn(dims);
      const { prevSample } = scheduler.step({ data: sample.data, shape: dims }, 500, {
        data: sample.data,
        shape: dims,
      });
      expect(numbers(prevSample.shape)).toEqual(dims);
    }
  });

  test('large samples step as their parts do', () => {
    const scheduler = make();
    scheduler.setTimesteps(10);
    const [x, e, z] = [1, 2, 3].map((s) => new Generator(s).randn([3, 4, 111, 113])) as [Tensor, Tensor, Tensor];
    const whole = scheduler.step(e, 500, x, { eta: 0.5, varianceNoise: z });
    const size = 4 * 111 * 113;
    for (let i = 0; i < 3; i++) {
      const part = ({ data }: Tensor) => ({ data: data.slice(i * size, (i + 1) * size), shape: [1, 4, 111, 113] });
      const alone = scheduler.step(part(e), 500, part(x), { eta: 0.5, varianceNoise: part(z) });
      expect(maxDifference(alone.prevSample.data, whole.prevSample.data.subarray(i * size, (i + 1) * size))).toBe(0);
    }
  });

  test('dynamic thresholding takes each image for itself, however large', () => {
    const scheduler = make({ thresholding: true, sampleMaxValue: 10, dynamicThresholdingRatio: 0.97 });
    scheduler.setTimesteps(10);
    const dims = [2, 3, 130, 131];
    const [x, e] = [1, 2].map((s) => new Generator(s).randn(dims)) as [Tensor, Tensor];
    const whole = scheduler.step(e, 500, x, { useClippedModelOutput: true });
    const size = 3 * 130 * 131;
    const part = ({ data }: Tensor) => ({ data: data.slice(size), shape: [1, 3, 130, 131] });
    const alone = scheduler.step(part(e), 500, part(x), { useClippedModelOutput: true });
    expect(maxDifference(alone.predOriginalSample.data, whole.predOriginalSample.data.subarray(size))).toBe(0);
    expect(maxDifference(alone.prevSample.data, whole.prevSample.data.subarray(size))).toBe(0);
    expect(whole.predOriginalSample.data.every((v) => Math.abs(v) <= 1)).toBe(true);
  });

  test('a list of generators gives each image its own noise', () => {
    const scheduler = make();
    scheduler.setTimesteps(10);
    const sample = dummySample();
    const generator = [1, 2, 3, 4].map((seed) => new Generator(seed));
    const listed = scheduler.step(sample, 500, sample, { eta: 1, generator });
    const noise = { data: new Float32Array(768), shape };
    for (const [i, seed] of [1, 2, 3, 4].entries())
      noise.data.set(new Generator(seed).randn([1, 3, 8, 8]).data, i * 192);
    const given = scheduler.step(sample, 500, sample, { eta: 1, varianceNoise: noise });
    expect(maxDifference(listed.prevSample.data, given.prevSample.data)).toBe(0);
  });

  test('eta 0 draws nothing', () => {
    const scheduler = make();
    scheduler.setTimesteps(10);
    const generator = new Generator(5);
    scheduler.step(dummySample(), 500, dummySample(), { eta: 0, generator });
    expect(numbers(generator.randn([3]).data)).toEqual(numbers(new Generator(5).randn([3]).data));
  });

  test('without a generator the noise is fresh each time', () => {
    const scheduler = make();
    scheduler.setTimesteps(10);
    const sample = dummySample();
    const draw = () => scheduler.step(sample, 500, sample, { eta: 1 }).prevSample.data;
    expect(maxDifference(draw(), draw())).toBeGreaterThan(0.01);
  });

  test('before setTimesteps: an error that says what to do', async () => {
    const error = await failure(() => make().step(dummySample(), 0, dummySample()));
    expect(error.message).toMatch(/setTimesteps/);
  });

  test('trained betas shorter than numTrainTimesteps: a timestep beyond them is an error', () => {
    const scheduler = make({ trainedBetas: [0.1, 0.3] });
    scheduler.setTimesteps(10);
    expect(() => scheduler.step(dummySample(), 900, dummySample())).toThrow(RangeError);
    expect(() => scheduler.addNoise(dummySample(), dummySample(), [2])).toThrow(RangeError);
    expect(() => scheduler.getVariance(2, 1)).toThrow(RangeError);
    expect(numbers(scheduler.step(dummySample(), 0, dummySample()).prevSample.shape)).toEqual(shape);
  });

  test('NaN and infinity go where they go in torch', () => {
    const scheduler = make();
    scheduler.setTimesteps(10);
    const sample = tensor([4], (i) => [NaN, Infinity, -Infinity, 0][i] as number);
    const { predOriginalSample } = scheduler.step(
      tensor([4], () => 0),
      500,
      sample,
    );
    expect(numbers(predOriginalSample.data)).toEqual([NaN, 1, -1, 0]);
  });
});

test('loading and saving: subfolder, directories that do not exist yet', async () => {
  await withDirectory(async (directory) => {
    await make({ clipSample: false }).savePretrained(`${directory}/a/b/scheduler`);
    await access(`${directory}/a/b/scheduler/scheduler_config.json`);
    const loaded = await DDIMScheduler.fromPretrained(`${directory}/a/b`, { subfolder: 'scheduler' });
    expect(loaded.config.clipSample).toBe(false);
  });
});
