// DDIMPipeline against recordings of diffusers': see test/fixtures/pipelines. Noise, timesteps and steps are equal to the
// bit (parity/scheduler.test.ts); a forward pass sums in another order, which the bounds here allow for.
import { DDIMPipeline, DDIMScheduler, type DDIMSchedulerConfig, Generator, type Tensor, UNet2DModel } from 'ddim-wasm';
import {
  bitDifference,
  bitsOf,
  camelKeys,
  fixture,
  maxDifference,
  numbers,
  readFloats,
  readJson,
  sha256,
} from '../support.ts';

interface Recording {
  models: Record<
    string,
    {
      storage: 'float32' | 'float16' | 'external';
      sampleSize: [number, number];
      channels: number;
      forwards: { shape: number[]; timestep: number; seed: number; offset: number }[];
    }
  >;
  cases: {
    model: string;
    scheduler: Record<string, unknown>;
    steps: number;
    batch?: number;
    eta?: number;
    clipped?: boolean;
    seed?: number;
    seeds?: string[];
    shape: number[];
    offset: number;
  }[];
}

const recording = await readJson<Recording>('pipelines/pipelines.json');
const floats = await readFloats('pipelines/pipelines.bin');

function recorded(offset: number, shape: number[]): Float32Array {
  return floats.subarray(offset, offset + shape.reduce((n, d) => n * d, 1));
}

/** Of the images in [0, 1]. A float16 model rounds its outputs to 11 bits, to either side of which a sum may fall. */
const BOUND = { float32: 1e-4, external: 1e-4, float16: 2e-3 };
/** Of one forward pass. */
const FORWARD = { float32: 1e-5, external: 1e-5, float16: 1e-3 };

/** `round(255 * image)`, halves to even, as numpy_to_pil; NaN is 0. */
function bytesOf(image: Float32Array): Uint8Array {
  return Uint8Array.from(image, (v) => {
    const x = Math.fround(v * 255);
    const floor = Math.floor(x);
    return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
  });
}

describe.each(Object.entries(recording.models))('%s', (name, model) => {
  let pipe: DDIMPipeline;
  beforeAll(async () => {
    pipe = await DDIMPipeline.fromPretrained(fixture(`pipelines/${name}`));
    pipe.setProgressBarConfig({ disable: true });
  });
  afterAll(() => pipe.dispose());

  test('the directory is read as diffusers reads it', () => {
    const { sampleSize, inChannels } = pipe.unet.config;
    expect(inChannels).toBe(model.channels);
    expect(typeof sampleSize === 'number' ? [sampleSize, sampleSize] : numbers(sampleSize)).toEqual(model.sampleSize);
    expect(pipe.scheduler.constructor.name).toMatch(/DDIMScheduler$/);
  });

  test.each(model.forwards)('the model alone: $shape at $timestep', async ({ shape, timestep, seed, offset }) => {
    const { sample } = await pipe.unet.forward(new Generator(seed).randn(shape), timestep);
    expect(numbers(sample.shape)).toEqual(shape);
    expect(maxDifference(sample.data, recorded(offset, shape))).toBeLessThan(FORWARD[model.storage]);
  });

  const cases = recording.cases.filter((c) => c.model === name);
  const label = (c: (typeof cases)[number]) => {
    const { model: _, offset, shape, ...rest } = c;
    return JSON.stringify(rest).replace(/["{}]/g, '');
  };

  test.each(cases.map((c) => [label(c), c] as const))('%s', async (_, c) => {
    const scheduler = DDIMScheduler.fromConfig(
      pipe.scheduler.config,
      camelKeys(c.scheduler) as Partial<DDIMSchedulerConfig>,
    );
    const other = new DDIMPipeline({ unet: pipe.unet, scheduler });
    other.setProgressBarConfig({ disable: true });
    const options = () => ({
      batchSize: c.batch ?? 1,
      eta: c.eta ?? 0,
      numInferenceSteps: c.steps,
      useClippedModelOutput: c.clipped ?? null,
      generator: c.seeds ? c.seeds.map((seed) => new Generator(BigInt(seed))) : new Generator(c.seed as number),
    });
    const expected = recorded(c.offset, c.shape);
    const { images } = await other.generate({ ...options(), outputType: 'np' });
    expect(numbers(images.shape)).toEqual(c.shape);
    expect(maxDifference(images.data, expected)).toBeLessThan(BOUND[model.storage]);

    const bytes = bytesOf(expected);
    const drawn = bytesOf(images.data);
    expect(maxDifference(drawn, bytes)).toBeLessThanOrEqual(1);
    const unequal = bytes.reduce((n, byte, i) => n + Number(byte !== drawn[i]), 0);
    expect(unequal / bytes.length).toBeLessThan(model.storage === 'float16' ? 0.05 : 0.01);
    if (cases.indexOf(c) % 3 > 0) return;

    // pictures are exactly the rounding of the floats
    const { images: pictures } = await other.generate({ ...options(), outputType: 'pil' });
    const size = drawn.length / pictures.length;
    for (const [i, picture] of pictures.entries()) {
      expect([picture.height, picture.width, picture.channels]).toEqual(c.shape.slice(1));
      expect(maxDifference(picture.data, drawn.subarray(i * size, (i + 1) * size))).toBe(0);
    }
  });

  test('the same seed gives the same bits, alone, again and in any order', async () => {
    const draw = async (generator: Generator[]) => {
      const { images } = await pipe.generate({
        batchSize: generator.length,
        generator,
        numInferenceSteps: 4,
        eta: 0.5,
        outputType: 'pt',
      });
      const size = images.data.length / generator.length;
      return generator.map((_, i) => sha256(images.data.slice(i * size, (i + 1) * size)));
    };
    const first = await draw([new Generator(1)]);
    expect(await draw([new Generator(1)])).toEqual(first);
    const [a, b, c] = await draw([new Generator(2), new Generator(1), new Generator(3)]);
    expect(b).toBe(first[0]);
    expect(await draw([new Generator(3), new Generator(2)])).toEqual([c, a]);
  });
});

describe('the loop, step by step', () => {
  /** A UNet of plain arithmetic, of which torch would give the same bits: what goes in is what the loop passes on. */
  class Recorder {
    readonly config = { inChannels: 3, sampleSize: [5, 4] as const };
    readonly inputs: { sample: Tensor; timestep: number }[] = [];
    async forward(sample: Tensor, timestep: number) {
      this.inputs.push({ sample, timestep });
      return { sample: { data: sample.data.map((v) => v * 0.5), shape: sample.shape } };
    }
  }

  test.each([
    { eta: 0, seeds: [0] },
    { eta: 0.5, seeds: [7] },
    { eta: 1, seeds: [1, 2, 3] },
  ])('eta $eta, generators $seeds: noise first, then steps from the same generators', async ({ eta, seeds }) => {
    const unet = new Recorder();
    const scheduler = new DDIMScheduler({ timestepSpacing: 'trailing' });
    const pipe = new DDIMPipeline({ unet, scheduler });
    const generator = () =>
      seeds.length === 1 ? new Generator(seeds[0] as number) : seeds.map((s) => new Generator(s));
    const given = generator();
    const { images } = await pipe.generate({
      batchSize: seeds.length,
      generator: given,
      eta,
      numInferenceSteps: 7,
      outputType: 'pt',
    });

    const own = generator();
    const shape = [seeds.length, 3, 5, 4];
    const { randnTensor } = await import('ddim-wasm');
    let sample = randnTensor(shape, own);
    scheduler.setTimesteps(7);
    expect(unet.inputs.map(({ timestep }) => timestep)).toEqual([...scheduler.timesteps]);
    for (const [i, t] of scheduler.timesteps.entries()) {
      expect(bitDifference(unet.inputs[i]?.sample.data as Float32Array, bitsOf(sample.data))).toBe('');
      const output = { data: sample.data.map((v) => v * 0.5), shape };
      sample = scheduler.step(output, t, sample, { eta, generator: own }).prevSample;
    }
    const unit = sample.data.map((v) => Math.min(Math.max(Math.fround(v / 2) + 0.5, 0), 1));
    expect(bitDifference(images.data, bitsOf(unit))).toBe('');
    // the generators have gone on equally far
    const [left, right] = [given, own].map((g) => (Array.isArray(g) ? g : [g]));
    expect(left?.map((g) => sha256(g.getState()))).toEqual(right?.map((g) => sha256(g.getState())));
  });

  test.each([61, 122, 998])(
    'trailing spacing with %i steps, where numpy gives one timestep more, -1',
    async (steps) => {
      const unet = new Recorder();
      const pipe = new DDIMPipeline({ unet, scheduler: new DDIMScheduler({ timestepSpacing: 'trailing' }) });
      const { images } = await pipe.generate({
        generator: new Generator(0),
        numInferenceSteps: steps,
        outputType: 'pt',
      });
      expect(unet.inputs.length).toBe(steps + 1);
      expect(unet.inputs.at(-1)?.timestep).toBe(-1);
      expect(images.data.every((v) => v >= 0 && v <= 1)).toBe(true);
    },
  );
});

test('UNet2DModel alone loads from its own directory and from a subfolder', async () => {
  const a = await UNet2DModel.fromPretrained(fixture('pipelines/dummy/unet'));
  const b = await UNet2DModel.fromPretrained(fixture('pipelines/dummy'), { subfolder: 'unet' });
  const sample = new Generator(0).randn([1, 3, 8, 8]);
  expect(
    bitDifference((await a.forward(sample, 10)).sample.data, bitsOf((await b.forward(sample, 10)).sample.data)),
  ).toBe('');
  expect(a.config.normNumGroups).toBe(4);
  await a.dispose();
  await b.dispose();
});
