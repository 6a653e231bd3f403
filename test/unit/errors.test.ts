// Every public function with arguments of wrong types and values: the class of the error, and that its message names the
// argument and what arrived. Then model directories that are missing or broken: the message names the file.
import { appendFile, cp, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import {
  configure,
  DDIMPipeline,
  DDIMScheduler,
  Generator,
  RawImage,
  randnTensor,
  type Tensor,
  UNet2DModel,
} from 'ddim-wasm';
import { failure, fixture, withDirectory } from '../support.ts';

// Arguments are wrong on purpose, which the types would not allow.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;
type Row = [what: string, call: () => unknown, type: typeof TypeError | typeof RangeError, message: RegExp];

const shape = [1, 3, 4, 6];
const x = (): Tensor => ({ data: new Float32Array(72), shape });
const unet = (): Any => ({
  config: { inChannels: 3, sampleSize: [4, 6] },
  forward: async (sample: Tensor) => ({ sample }),
});
const scheduler = () => {
  const made = new DDIMScheduler();
  made.setTimesteps(10);
  return made;
};
const pipe = () => {
  const made = new DDIMPipeline({ unet: unet(), scheduler: new DDIMScheduler() });
  made.setProgressBarConfig({ disable: true });
  return made;
};
const generate = (options: Any) => () => pipe().generate({ numInferenceSteps: 1, ...options });
const step = (options: Any) => () => scheduler().step(x(), 500, x(), options);
const make = (config: Any) => () => new DDIMScheduler(config);
const short: Tensor = { data: new Float32Array(71), shape };
const other: Tensor = { data: new Float32Array(72), shape: [1, 3, 6, 4] };

function check(rows: Row[]): void {
  test.each(rows)('%s', async (_, call, type, message) => {
    const error = await failure(call);
    expect({ name: error.name, message: error.message }).toEqual({
      name: type.name,
      message: expect.stringMatching(message),
    });
  });
}

/** Rows of one argument given many values. */
function values(
  name: string,
  call: (value: Any) => () => unknown,
  type: Row[2],
  list: [value: unknown, got: RegExp][],
): Row[] {
  return list.map(([value, got]) => [
    `${name}: ${String(typeof value === 'symbol' ? 'symbol' : (JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v)) ?? value))}`,
    call(value),
    type,
    new RegExp(`^${name.replace(/[.[\]]/g, '\\$&')}: expected .*got ${got.source}`),
  ]);
}

const notNumbers: [unknown, RegExp][] = [
  ['5', /"5"/],
  [null, /null/],
  [true, /true/],
  [{}, /an object/],
  [[5], /\[5\]/],
  [5n, /5n/],
];
const notIntegers: [unknown, RegExp][] = [
  [1.5, /1\.5/],
  [NaN, /NaN/],
  [Infinity, /Infinity/],
];
const notBooleans: [unknown, RegExp][] = [
  [1, /1/],
  ['true', /"true"/],
  [{}, /an object/],
];

describe('Generator', () => {
  const seed = (value: Any) => () => new Generator(value);
  check([
    ...values('seed', seed, TypeError, [
      ['0', /"0"/],
      [null, /null/],
      [{}, /an object/],
      [true, /true/],
    ]),
    ...values('seed', seed, RangeError, [
      [1.5, /1\.5/],
      [NaN, /NaN/],
      [2 ** 53, /9007199254740992/],
      [2n ** 64n, /18446744073709551616n/],
      [-(2n ** 63n) - 1n, /-9223372036854775809n/],
    ]),
    ...values('seed', (value) => () => new Generator(0).manualSeed(value), TypeError, [
      ['0', /"0"/],
      [undefined, /undefined/],
    ]),
    ...values('seed', (value) => () => new Generator(0).manualSeed(value), RangeError, [
      [2n ** 64n, /18446744073709551616n/],
    ]),
    ...(['randn', 'rand'] as const).flatMap((draw) => [
      ...values('shape', (value) => () => new Generator(0)[draw](value), TypeError, [
        ['3', /"3"/],
        [undefined, /undefined/],
        [{}, /an object/],
        [['3'], /\["3"\]/],
      ]),
      ...values('shape', (value) => () => new Generator(0)[draw](value), RangeError, [
        [[-1], /\[-1\]/],
        [[2, 1.5], /\[2, 1\.5\]/],
        [[2 ** 20, 2 ** 20], /\[1048576, 1048576\]/],
      ]),
    ]),
    ...values('state', (value) => () => new Generator(0).setState(value), TypeError, [
      ['state', /"state"/],
      [null, /null/],
      [[1, 2], /\[1, 2\]/],
    ]),
    [
      'state: too short',
      () => new Generator(0).setState(new Uint8Array(5)),
      RangeError,
      /^state: expected 5056 bytes, got 5$/,
    ],
    ['state: of no generator', () => new Generator(0).setState(new Uint8Array(5056).fill(9)), RangeError, /^state/],
    ['state: of a generator never seeded', () => new Generator(0).setState(new Uint8Array(5056)), RangeError, /^state/],
    ...values('generator', (value) => () => randnTensor([2, 3], value), TypeError, [
      [0, /0/],
      [undefined, /undefined/],
      [[0, 1], /\[0, 1\]/],
      [{}, /an object/],
    ]),
    [
      'generator: too few',
      () => randnTensor([3, 3], [new Generator(), new Generator()]),
      RangeError,
      /^generator: expected 3.*got 2/,
    ],
    ...values('shape', (value) => () => randnTensor(value, new Generator()), TypeError, [['3', /"3"/]]),
  ]);

  test('a failed call changes nothing', async () => {
    const generator = new Generator(0);
    const before = generator.getState();
    await failure(() => generator.setState(new Uint8Array(5056)));
    await failure(() => generator.manualSeed('1' as Any));
    await failure(() => generator.randn([-1]));
    expect([...generator.getState()]).toEqual([...before]);
  });
});

describe('DDIMScheduler: configuration', () => {
  check([
    ...values('numTrainTimesteps', (numTrainTimesteps) => make({ numTrainTimesteps }), TypeError, notNumbers),
    ...values('numTrainTimesteps', (numTrainTimesteps) => make({ numTrainTimesteps }), RangeError, [
      ...notIntegers,
      [0, /0/],
      [-1, /-1/],
      [1e9, /1000000000/],
    ]),
    ...['betaStart', 'betaEnd', 'clipSampleRange', 'sampleMaxValue', 'dynamicThresholdingRatio'].flatMap((name) => [
      ...values(name, (value) => make({ [name]: value }), TypeError, notNumbers),
      ...values(name, (value) => make({ [name]: value }), RangeError, [[NaN, /NaN/]]),
    ]),
    ...values('dynamicThresholdingRatio', (value) => make({ dynamicThresholdingRatio: value }), RangeError, [
      [1.01, /1\.01/],
      [-0.1, /-0\.1/],
    ]),
    ...values('clipSampleRange', (value) => make({ clipSampleRange: value }), RangeError, [[-1, /-1/]]),
    ...['clipSample', 'setAlphaToOne', 'thresholding', 'rescaleBetasZeroSnr'].flatMap((name) =>
      values(name, (value) => make({ [name]: value }), TypeError, notBooleans),
    ),
    ...values('stepsOffset', (stepsOffset) => make({ stepsOffset }), TypeError, notNumbers),
    ...values('stepsOffset', (stepsOffset) => make({ stepsOffset }), RangeError, [...notIntegers, [-1, /-1/]]),
    ...['betaSchedule', 'predictionType', 'timestepSpacing'].flatMap((name) => [
      ...values(name, (value) => make({ [name]: value }), TypeError, [
        [1, /1/],
        [{}, /an object/],
      ]),
      ...values(name, (value) => make({ [name]: value }), RangeError, [
        ['', /""/],
        ['Linear', /"Linear"/],
        ['sigmoid', /"sigmoid"/],
      ]),
    ]),
    ...values('trainedBetas', (trainedBetas) => make({ trainedBetas }), TypeError, [
      [5, /5/],
      ['0.1', /"0\.1"/],
      [{}, /an object/],
    ]),
    ...values('trainedBetas', (trainedBetas) => make({ trainedBetas }), RangeError, [[[], /\[\]/]]),
    ...values('trainedBetas[1]', (trainedBetas) => make({ trainedBetas }), TypeError, [[[0.1, '0.2'], /"0\.2"/]]),
    ...values('trainedBetas[0]', (trainedBetas) => make({ trainedBetas }), RangeError, [[[NaN], /NaN/]]),
    ...values('config', (config) => make(config), TypeError, [
      [null, /null/],
      ['linear', /"linear"/],
      [[1], /\[1\]/],
    ]),
    ...values('config', (config) => () => DDIMScheduler.fromConfig(config), TypeError, [
      [null, /null/],
      [undefined, /undefined/],
      [5, /5/],
    ]),
    [
      'snake_case: the same checks',
      () => DDIMScheduler.fromConfig({ beta_schedule: 'sigmoid' }),
      RangeError,
      /^betaSchedule: expected .*got "sigmoid"/,
    ],
    [
      'overrides: the same checks',
      () => DDIMScheduler.fromConfig({}, { clipSample: 1 as Any }),
      TypeError,
      /^clipSample: expected .*got 1/,
    ],
    ...values('model', (value) => () => DDIMScheduler.fromPretrained(value), TypeError, [
      [5, /5/],
      [undefined, /undefined/],
      [null, /null/],
    ]),
    ...values('subfolder', (subfolder) => () => DDIMScheduler.fromPretrained('x', { subfolder }), TypeError, [
      [5, /5/],
    ]),
    ...values('directory', (value) => () => new DDIMScheduler().savePretrained(value), TypeError, [
      [undefined, /undefined/],
    ]),
  ]);
});

describe('DDIMScheduler: methods', () => {
  const tensors = (name: string, call: (value: Any) => () => unknown): Row[] => [
    ...values(name, call, TypeError, [
      [undefined, /undefined/],
      [null, /null/],
      [5, /5/],
      [[1, 2], /\[1, 2\]/],
      [{ data: [1], shape: [1] }, /an object/],
    ]),
    [
      `${name}: a bare Float32Array`,
      call(new Float32Array(72)),
      TypeError,
      new RegExp(`^${name}: expected .*got an instance of Float32Array`),
    ],
    [`${name}: Float64Array`, call({ data: new Float64Array(72), shape }), TypeError, new RegExp(`^${name}: expected`)],
    [
      `${name}: no shape`,
      call({ data: new Float32Array(72) }),
      TypeError,
      new RegExp(`^${name}\\.shape: expected .*got undefined`),
    ],
    [`${name}: too few elements`, call(short), RangeError, new RegExp(`^${name}: expected 72 .*got 71`)],
  ];
  check([
    ...values('numInferenceSteps', (n) => () => new DDIMScheduler().setTimesteps(n), TypeError, [
      ...notNumbers,
      [undefined, /undefined/],
    ]),
    ...values('numInferenceSteps', (n) => () => new DDIMScheduler().setTimesteps(n), RangeError, [
      ...notIntegers,
      [0, /0/],
      [-5, /-5/],
      [1001, /1001/],
    ]),
    ...tensors('sample', (value) => () => scheduler().step(x(), 500, value)),
    ...tensors('modelOutput', (value) => () => scheduler().step(value, 500, x())),
    [
      'modelOutput: another shape',
      () => scheduler().step(other, 500, x()),
      RangeError,
      /^modelOutput: expected the shape \[1, 3, 4, 6\], got \[1, 3, 6, 4\]$/,
    ],
    ...values('timestep', (t) => () => scheduler().step(x(), t, x()), TypeError, [
      ...notNumbers,
      [undefined, /undefined/],
    ]),
    ...values('timestep', (t) => () => scheduler().step(x(), t, x()), RangeError, [
      ...notIntegers,
      [1000, /1000/],
      [-1001, /-1001/],
    ]),
    ...values('eta', (eta) => step({ eta }), TypeError, notNumbers),
    ...values('eta', (eta) => step({ eta }), RangeError, [
      [-0.1, /-0\.1/],
      [1.1, /1\.1/],
      [NaN, /NaN/],
    ]),
    ...values(
      'useClippedModelOutput',
      (useClippedModelOutput) => step({ useClippedModelOutput }),
      TypeError,
      notBooleans,
    ),
    ...values('returnDict', (returnDict) => step({ returnDict }), TypeError, notBooleans),
    ...values('generator', (generator) => step({ eta: 1, generator }), TypeError, [
      [5, /5/],
      [{}, /an object/],
      [[5, 6], /\[5, 6\]/],
      [[5], /\[5\]/],
    ]),
    [
      'generator: too many',
      step({ eta: 1, generator: [new Generator(), new Generator()] }),
      RangeError,
      /^generator: expected 1 .*got 2/,
    ],
    ...tensors('varianceNoise', (varianceNoise) => step({ eta: 1, varianceNoise })).filter(
      ([name]) => !/undefined/.test(name),
    ),
    [
      'varianceNoise: another shape',
      step({ eta: 1, varianceNoise: other }),
      RangeError,
      /^varianceNoise: expected the shape/,
    ],
    [
      'varianceNoise and generator',
      step({ eta: 1, varianceNoise: x(), generator: new Generator() }),
      RangeError,
      /varianceNoise.*generator/,
    ],
    ...values('options', (options) => step(options), TypeError, [
      [null, /null/],
      [0.5, /0\.5/],
      [[], /\[\]/],
    ]),
    ['options: a misspelt key', step({ etta: 1 }), RangeError, /^options: expected .*got "etta"$/],
    ...tensors('originalSamples', (value) => () => scheduler().addNoise(value, x(), [1])),
    ...tensors('noise', (value) => () => scheduler().addNoise(x(), value, [1])),
    ['noise: another shape', () => scheduler().addNoise(x(), other, [1]), RangeError, /^noise: expected the shape/],
    ...tensors('sample', (value) => () => scheduler().getVelocity(value, x(), [1])),
    ...tensors('noise', (value) => () => scheduler().getVelocity(x(), value, [1])),
    ...(['addNoise', 'getVelocity'] as const).flatMap((method) => {
      const call = (t: Any) => () => scheduler()[method](x(), x(), t);
      return [
        ...values('timesteps', call, TypeError, [
          [undefined, /undefined/],
          [null, /null/],
          [{}, /an object/],
        ]),
        ...values('timesteps', call, TypeError, [[['1'], /"1"/]]),
        ...values('timesteps', call, RangeError, [
          [[1000], /1000/],
          [[1.5], /1\.5/],
        ]),
        [`timesteps of ${method}: too many`, call([1, 2]), RangeError, /^timesteps: expected 1 .*got 2/],
        [`timesteps of ${method}: none`, call([]), RangeError, /^timesteps: expected 1 .*got 0/],
      ] as Row[];
    }),
    [
      'timesteps: which of several',
      () =>
        scheduler().addNoise(
          { data: new Float32Array(4), shape: [2, 2] },
          { data: new Float32Array(4), shape: [2, 2] },
          [1, 5000],
        ),
      RangeError,
      /^timesteps\[1\]: expected .*got 5000/,
    ],
    ...values('timestep', (t) => () => scheduler().getVariance(t, 0), TypeError, [['1', /"1"/]]),
    ...values('timestep', (t) => () => scheduler().getVariance(t, 0), RangeError, [[1000, /1000/]]),
    ...values('prevTimestep', (t) => () => scheduler().getVariance(1, t), TypeError, [['1', /"1"/]]),
    ...values('prevTimestep', (t) => () => scheduler().getVariance(1, t), RangeError, [[1000, /1000/]]),
    ...tensors('sample', (value) => () => scheduler().scaleModelInput(value)),
  ]);

  test('step before setTimesteps', async () => {
    const error = await failure(() => new DDIMScheduler().step(x(), 0, x()));
    expect(error.message).toMatch(/setTimesteps/);
  });

  test('a failed call changes nothing', async () => {
    const made = scheduler();
    await failure(() => made.setTimesteps(0));
    expect([made.numInferenceSteps, made.timesteps.length]).toEqual([10, 10]);
  });
});

describe('DDIMPipeline', () => {
  check([
    ...values('components', (components) => () => new DDIMPipeline(components), TypeError, [
      [null, /null/],
      [5, /5/],
      ['x', /"x"/],
    ]),
    ...values('unet', (value) => () => new DDIMPipeline({ unet: value, scheduler: new DDIMScheduler() }), TypeError, [
      [undefined, /undefined/],
      [null, /null/],
      [5, /5/],
      [{}, /an object/],
    ]),
    [
      'unet: no config',
      () => new DDIMPipeline({ unet: { forward() {} } as Any, scheduler: new DDIMScheduler() }),
      TypeError,
      /^unet\.config: expected .*got undefined/,
    ],
    ...values(
      'unet.config.inChannels',
      (inChannels) => () =>
        new DDIMPipeline({
          unet: { ...unet(), config: { inChannels, sampleSize: 8 } },
          scheduler: new DDIMScheduler(),
        }),
      TypeError,
      [
        ['3', /"3"/],
        [undefined, /undefined/],
      ],
    ),
    ...values(
      'unet.config.sampleSize',
      (sampleSize) => () =>
        new DDIMPipeline({
          unet: { ...unet(), config: { inChannels: 3, sampleSize } },
          scheduler: new DDIMScheduler(),
        }),
      TypeError,
      [
        ['8', /"8"/],
        [null, /null/],
        [undefined, /undefined/],
      ],
    ),
    ...values(
      'unet.config.sampleSize',
      (sampleSize) => () =>
        new DDIMPipeline({
          unet: { ...unet(), config: { inChannels: 3, sampleSize } },
          scheduler: new DDIMScheduler(),
        }),
      RangeError,
      [
        [0, /0/],
        [1.5, /1\.5/],
        [[8], /\[8\]/],
        [[8, 8, 8], /\[8, 8, 8\]/],
      ],
    ),
    ...values('scheduler', (value) => () => new DDIMPipeline({ unet: unet(), scheduler: value }), TypeError, [
      [undefined, /undefined/],
      [null, /null/],
      [5, /5/],
      [{}, /an object/],
    ]),
    ...values('batchSize', (batchSize) => generate({ batchSize }), TypeError, notNumbers),
    ...values('batchSize', (batchSize) => generate({ batchSize }), RangeError, [...notIntegers, [0, /0/], [-1, /-1/]]),
    ...values('numInferenceSteps', (numInferenceSteps) => generate({ numInferenceSteps }), TypeError, notNumbers),
    ...values('numInferenceSteps', (numInferenceSteps) => generate({ numInferenceSteps }), RangeError, [
      ...notIntegers,
      [0, /0/],
      [1001, /1001/],
    ]),
    ...values('eta', (eta) => generate({ eta }), TypeError, notNumbers),
    ...values('eta', (eta) => generate({ eta }), RangeError, [
      [-1, /-1/],
      [2, /2/],
      [NaN, /NaN/],
    ]),
    ...values('generator', (generator) => generate({ generator }), TypeError, [
      [0, /0/],
      [{}, /an object/],
      [[0], /\[0\]/],
      ['0', /"0"/],
    ]),
    [
      'generator: too few',
      generate({ batchSize: 3, generator: [new Generator(), new Generator()] }),
      RangeError,
      /^generator: expected 3 .*got 2/,
    ],
    [
      'generator: one in a list for two images',
      generate({ batchSize: 2, generator: [new Generator()] }),
      RangeError,
      /^generator: expected 2 .*got 1/,
    ],
    ['generator: an empty list', generate({ generator: [] }), RangeError, /^generator: expected 1 .*got 0/],
    ...values(
      'useClippedModelOutput',
      (useClippedModelOutput) => generate({ useClippedModelOutput }),
      TypeError,
      notBooleans,
    ),
    ...values('returnDict', (returnDict) => generate({ returnDict }), TypeError, notBooleans),
    ...values('outputType', (outputType) => generate({ outputType }), TypeError, [[5, /5/]]),
    ...values('outputType', (outputType) => generate({ outputType }), RangeError, [
      ['numpy', /"numpy"/],
      ['PIL', /"PIL"/],
    ]),
    ...values('onStep', (onStep) => generate({ onStep }), TypeError, [
      [5, /5/],
      [{}, /an object/],
    ]),
    ...values('signal', (signal) => generate({ signal }), TypeError, [
      [5, /5/],
      [{}, /an object/],
    ]),
    ...values('latents', (latents) => generate({ latents }), TypeError, [
      [5, /5/],
      [{}, /an object/],
      [[1], /\[1\]/],
    ]),
    [
      'latents: another shape',
      generate({ latents: other }),
      RangeError,
      /^latents: expected the shape \[1, 3, 4, 6\], got \[1, 3, 6, 4\]/,
    ],
    [
      'latents: of one image for two',
      generate({ batchSize: 2, latents: x() }),
      RangeError,
      /^latents: expected the shape \[2, 3, 4, 6\], got \[1, 3, 4, 6\]/,
    ],
    ['latents: too few elements', generate({ latents: short }), RangeError, /^latents: expected 72 .*got 71/],
    [
      'options: a misspelt key',
      generate({ num_inference_steps: 5 }),
      RangeError,
      /^options: expected .*got "num_inference_steps"$/,
    ],
    ...values('options', (options) => () => pipe().generate(options), TypeError, [
      [null, /null/],
      [5, /5/],
    ]),
    [
      'stream: the same checks',
      () => pipe().stream({ batchSize: 0 }).next(),
      RangeError,
      /^batchSize: expected .*got 0/,
    ],
    ...values('model', (value) => () => DDIMPipeline.fromPretrained(value), TypeError, [
      [5, /5/],
      [null, /null/],
      [{}, /an object/],
      [new Uint8Array(8), /an instance of Uint8Array/],
    ]),
    [
      'files in memory: a text',
      () => DDIMPipeline.fromPretrained({ 'unet/config.json': '{}' } as Any),
      TypeError,
      /^model\["unet\/config.json"\]: expected a Uint8Array or a Blob, got "{}"$/,
    ],
    [
      'files in memory: a path that leads out',
      () => DDIMPipeline.fromPretrained({ '../config.json': new Uint8Array(2) }),
      Error,
      /"\.\.\/config\.json"/,
    ],
    [
      'files in memory: no model among them',
      () => DDIMPipeline.fromPretrained({ 'readme.md': new Blob(['hello']) }),
      Error,
      /^model_index\.json: no such file, nor a config\.json in model/,
    ],
    ...values(
      'device',
      (device) => () => DDIMPipeline.fromPretrained(fixture('pipelines/dummy'), { device }),
      RangeError,
      [['gpu', /"gpu"/]],
    ),
    ...values(
      'device',
      (device) => () => DDIMPipeline.fromPretrained(fixture('pipelines/dummy'), { device }),
      TypeError,
      [[5, /5/]],
    ),
    [
      'fromPretrained: a misspelt key',
      () => DDIMPipeline.fromPretrained('x', { devise: 'wasm' } as Any),
      RangeError,
      /^options: expected .*got "devise"/,
    ],
    ...values('directory', (value) => () => pipe().savePretrained(value), TypeError, [
      [undefined, /undefined/],
      [5, /5/],
    ]),
    ['savePretrained of a UNet that cannot be saved', () => pipe().savePretrained('x'), TypeError, /^unet: expected/],
    ...values('device', (value) => () => pipe().to(value), RangeError, [['gpu', /"gpu"/]]),
    ['to of a UNet that cannot move', () => pipe().to('wasm'), TypeError, /^unet: expected/],
    ...values('disable', (disable) => () => pipe().setProgressBarConfig({ disable }), TypeError, notBooleans),
    ...values('desc', (desc) => () => pipe().setProgressBarConfig({ desc }), TypeError, [[5, /5/]]),
    [
      'setProgressBarConfig: a misspelt key',
      () => pipe().setProgressBarConfig({ disabled: true } as Any),
      RangeError,
      /^config: expected .*got "disabled"/,
    ],
  ]);

  const answers: [string, unknown, RegExp][] = [
    ['nothing', undefined, /modelOutput|unet/],
    ['a sample that is no tensor', { sample: 5 }, /modelOutput|unet/],
    ['another shape', { sample: other }, /modelOutput|unet/],
  ];
  test.each(answers)('a UNet that answers with %s', async (_, answer, message) => {
    const wrong = new DDIMPipeline({
      unet: { ...unet(), forward: async () => answer as Any },
      scheduler: new DDIMScheduler(),
    });
    wrong.setProgressBarConfig({ disable: true });
    const error = await failure(() => wrong.generate({ numInferenceSteps: 1 }));
    expect(error.message).toMatch(message);
  });
});

describe('UNet2DModel', () => {
  let model: UNet2DModel;
  beforeAll(async () => {
    model = await UNet2DModel.fromPretrained(fixture('pipelines/dummy/unet'));
  });
  afterAll(() => model.dispose());
  const sample = (): Tensor => ({ data: new Float32Array(192), shape: [1, 3, 8, 8] });
  check([
    ...values('sample', (value) => () => model.forward(value, 1), TypeError, [
      [undefined, /undefined/],
      [5, /5/],
      [{}, /an object/],
    ]),
    [
      'sample: other channels',
      () => model.forward({ data: new Float32Array(64), shape: [1, 1, 8, 8] }, 1),
      RangeError,
      /^sample: expected the shape \[N, 3, H, W\], got \[1, 1, 8, 8\]/,
    ],
    [
      'sample: no batch',
      () => model.forward({ data: new Float32Array(192), shape: [3, 8, 8] }, 1),
      RangeError,
      /^sample: expected the shape .*got \[3, 8, 8\]/,
    ],
    ...values('timestep', (t) => () => model.forward(sample(), t), TypeError, [
      ['1', /"1"/],
      [undefined, /undefined/],
      [1n, /1n/],
    ]),
    ...values('timestep', (t) => () => model.forward(sample(), t), RangeError, notIntegers),
    ...values('model', (value) => () => UNet2DModel.fromPretrained(value), TypeError, [
      [undefined, /undefined/],
      [5, /5/],
    ]),
    ...values('subfolder', (subfolder) => () => UNet2DModel.fromPretrained('x', { subfolder }), TypeError, [[5, /5/]]),
    ...values('device', (device) => () => UNet2DModel.fromPretrained('x', { device }), RangeError, [['gpu', /"gpu"/]]),
    ...values('directory', (value) => () => model.savePretrained(value), TypeError, [[undefined, /undefined/]]),
    ...values('device', (value) => () => model.to(value), RangeError, [['gpu', /"gpu"/]]),
    [
      'fromPretrained on webgpu, in Node',
      () => UNet2DModel.fromPretrained(fixture('checkpoints/safetensors'), { device: 'webgpu' }),
      RangeError,
      /^device: 'webgpu' runs in browsers only; use 'wasm'/,
    ],
    ['to webgpu, in Node', () => model.to('webgpu'), RangeError, /^device: 'webgpu' runs in browsers only; use 'wasm'/],
  ]);
});

describe('configure', () => {
  check([
    ...values('configuration', (value) => () => configure(value), TypeError, [[5, /5/]]),
    ...values('assets', (assets) => () => configure({ assets } as Any), TypeError, [
      [5, /5/],
      [{}, /an object/],
    ]),
    ...values('webgpu', (webgpu) => () => configure({ webgpu } as Any), TypeError, [[true, /true/]]),
    ['an unknown setting', () => configure({ asset: '/' } as Any), RangeError, /asset/],
  ]);
});

describe('RawImage', () => {
  const bytes = (n: number) => new Uint8Array(n);
  const image = () => new RawImage(bytes(12), 2, 2, 3);
  check([
    ...values('data', (data) => () => new RawImage(data, 2, 2, 3), TypeError, [
      [undefined, /undefined/],
      [[1, 2], /\[1, 2\]/],
    ]),
    ['data: wrong length', () => new RawImage(bytes(11), 2, 2, 3), RangeError, /^data: expected 12 bytes, got 11/],
    ...values('width', (width) => () => new RawImage(bytes(12), width, 2, 3), TypeError, [['2', /"2"/]]),
    ...values('width', (width) => () => new RawImage(bytes(12), width, 2, 3), RangeError, [[0, /0/]]),
    ...values('height', (height) => () => new RawImage(bytes(12), 2, height, 3), RangeError, [[1.5, /1\.5/]]),
    ...values('channels', (channels) => () => new RawImage(bytes(12), 2, 2, channels), RangeError, [
      [2, /2/],
      [5, /5/],
    ]),
    ...values('path', (path) => () => image().save(path), TypeError, [
      [undefined, /undefined/],
      [5, /5/],
    ]),
    ...values('path', (path) => () => image().save(path), RangeError, [
      ['picture.jpg', /"picture\.jpg"/],
      ['', /""/],
    ]),
    ...values('canvas', (canvas) => () => image().draw(canvas), TypeError, [
      [undefined, /undefined/],
      [{}, /an object/],
    ]),
  ]);
});

describe('model directories', () => {
  /** Breaks a copy of a pipeline and loads it. */
  async function broken(
    name: string,
    breaking: (directory: string) => Promise<unknown>,
  ): Promise<Error & { directory: string }> {
    return withDirectory(async (root) => {
      const directory = `${root}/model`;
      await cp(fixture(`pipelines/${name}`), directory, { recursive: true });
      await breaking(directory);
      const error = await failure(async () => {
        const pipe = await DDIMPipeline.fromPretrained(directory);
        await pipe.dispose();
      });
      return Object.assign(error, { directory });
    });
  }
  const edit = (file: string, change: (json: Any) => void) => async (directory: string) => {
    const json = JSON.parse(await readFile(`${directory}/${file}`, 'utf8'));
    change(json);
    await writeFile(`${directory}/${file}`, JSON.stringify(json));
  };
  const removing = (file: string) => (directory: string) => rm(`${directory}/${file}`, { recursive: true });
  const writing = (file: string, content: string | Uint8Array) => (directory: string) =>
    writeFile(`${directory}/${file}`, content);

  const table: [what: string, name: string, file: string, (directory: string) => Promise<unknown>, message: RegExp][] =
    [
      [
        'nothing at all',
        'dummy',
        'model_index.json',
        async (d) => {
          await rm(d, { recursive: true });
          await mkdir(d);
        },
        /no such file/,
      ],
      ['no such directory', 'dummy', 'model_index.json', (d) => rm(d, { recursive: true }), /no such file/],
      ['model_index.json is not JSON', 'dummy', 'model_index.json', writing('model_index.json', '{ "unet": '), /JSON/],
      ['model_index.json is a list', 'dummy', 'model_index.json', writing('model_index.json', '[]'), /object/],
      [
        'model_index.json is not UTF-8',
        'dummy',
        'model_index.json',
        writing('model_index.json', Uint8Array.of(0xff, 0xfe, 0)),
        /JSON/,
      ],
      ['no scheduler', 'dummy', 'scheduler/scheduler_config.json', removing('scheduler'), /no such file/],
      [
        'scheduler_config.json is not JSON',
        'dummy',
        'scheduler/scheduler_config.json',
        writing('scheduler/scheduler_config.json', '<html>'),
        /JSON/,
      ],
      [
        'scheduler_config.json is empty',
        'dummy',
        'scheduler/scheduler_config.json',
        writing('scheduler/scheduler_config.json', ''),
        /JSON/,
      ],
      [
        'a schedule that there is not',
        'dummy',
        'scheduler/scheduler_config.json',
        edit('scheduler/scheduler_config.json', (c) => {
          c.beta_schedule = 'sigmoid';
        }),
        /beta_?schedule.*sigmoid/i,
      ],
      [
        'a number as a string',
        'dummy',
        'scheduler/scheduler_config.json',
        edit('scheduler/scheduler_config.json', (c) => {
          c.num_train_timesteps = '1000';
        }),
        /num_?train_?timesteps.*"1000"/i,
      ],
      ['no unet', 'dummy', 'unet/config.json', removing('unet'), /no such file/],
      ['no config.json', 'dummy', 'unet/config.json', removing('unet/config.json'), /no such file/],
      ['config.json is not JSON', 'dummy', 'unet/config.json', writing('unet/config.json', 'null,'), /JSON/],
      [
        'config.json without sample_size',
        'dummy',
        'unet/config.json',
        edit('unet/config.json', (c) => {
          c.sample_size = undefined;
        }),
        /sample_size is null/,
      ],
      [
        'config.json with sample_size 0',
        'dummy',
        'unet/config.json',
        edit('unet/config.json', (c) => {
          c.sample_size = 0;
        }),
        /sample_?size.*got 0/i,
      ],
      [
        'config.json with in_channels as a string',
        'dummy',
        'unet/config.json',
        edit('unet/config.json', (c) => {
          c.in_channels = '3';
        }),
        /in_?channels.*"3"/i,
      ],
      [
        'no model.onnx',
        'dummy',
        'unet',
        removing('unet/model.onnx'),
        /neither model.onnx nor one of diffusion_pytorch_model/,
      ],
      ['model.onnx is empty', 'dummy', 'unet/model.onnx', writing('unet/model.onnx', ''), /ONNX/],
      [
        'model.onnx is text',
        'dummy',
        'unet/model.onnx',
        writing('unet/model.onnx', 'version https://git-lfs.github.com/spec/v1\n'),
        /ONNX|onnx/,
      ],
      [
        'model.onnx is cut off',
        'dummy',
        'unet/model.onnx',
        (d) => truncate(`${d}/unet/model.onnx`, 50_000),
        /ONNX|onnx/,
      ],
      [
        'model.onnx is cut off at its last byte',
        'dummy',
        'unet/model.onnx',
        async (d) => {
          const { length } = await readFile(`${d}/unet/model.onnx`);
          await truncate(`${d}/unet/model.onnx`, length - 1);
        },
        /ONNX|onnx/,
      ],
      [
        'model.onnx with something after its end',
        'dummy',
        'unet/model.onnx',
        (d) => appendFile(`${d}/unet/model.onnx`, Uint8Array.of(0xff, 0xff, 0xff)),
        /ONNX|onnx/,
      ],
      ['no external data', 'external', 'unet/model.onnx_data', removing('unet/model.onnx_data'), /no such file/],
      [
        'external data cut off',
        'external',
        'unet/model.onnx',
        (d) => truncate(`${d}/unet/model.onnx_data`, 1000),
        /onnx/,
      ],
    ];

  test.each(table)('%s', async (_, name, file, breaking, message) => {
    const error = await broken(name, breaking);
    expect(error.message).toMatch(new RegExp(`${error.directory}/${file}`));
    expect(error.message).toMatch(message);
  });

  test.each([
    ['a string without an end', `{"${'\\"'.repeat(2_000_000)}`],
    ['breaks within strings', `{"a":"\\\n${'\\"'.repeat(2_000_000)}`],
    ['breaks within a string that ends', `{"a":"\\\n${'\\"'.repeat(2_000_000)}\\\n"}`],
  ])('4 MB of JSON are refused at once: %s', async (_, json) => {
    const before = process.cpuUsage();
    const error = await failure(() =>
      DDIMPipeline.fromPretrained({ 'model_index.json': new TextEncoder().encode(json) }),
    );
    expect(error.message).toMatch(/model_index\.json: not a valid JSON file/);
    // 0.1 s; 20 KB took 0.2 s, and each twice as many four times as long, while a string was looked for from every quote on.
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(5);
  });

  test('external data outside of the folder are refused', async () => {
    const error = await broken('external', async (directory) => {
      const path = `${directory}/unet/model.onnx`;
      const bytes = Buffer.from(await readFile(path));
      // the same length: "model.onnx_data" becomes "../../etc/hosts"
      for (let at = bytes.indexOf('model.onnx_data'); at >= 0; at = bytes.indexOf('model.onnx_data'))
        bytes.write('../../etc/hosts', at);
      await writeFile(path, bytes);
    });
    expect(error.message).toMatch(/unet\/model\.onnx: .*\.\.\/\.\.\/etc\/hosts/);
  });

  test('DDIMScheduler and UNet2DModel alone name the file too', async () => {
    await withDirectory(async (directory) => {
      expect((await failure(() => DDIMScheduler.fromPretrained(directory))).message).toContain(
        `${directory}/scheduler_config.json`,
      );
      expect((await failure(() => UNet2DModel.fromPretrained(directory))).message).toContain(
        `${directory}/config.json`,
      );
      await writeFile(`${directory}/scheduler_config.json`, '{"prediction_type": "noise"}');
      const error = await failure(() => DDIMScheduler.fromPretrained(directory));
      expect(error.message).toContain(`${directory}/scheduler_config.json`);
      expect(error.message).toMatch(/"noise"/);
    });
  });

  test('a picture that cannot be written leaves nothing behind', async () => {
    await withDirectory(async (directory) => {
      await mkdir(`${directory}/taken.png`);
      const error = await failure(() => new RawImage(new Uint8Array(1), 1, 1, 1).save(`${directory}/taken.png`));
      expect(error.message).toContain('taken.png');
      const { readdir } = await import('node:fs/promises');
      expect(await readdir(directory)).toEqual(['taken.png']);
    });
  });
});
