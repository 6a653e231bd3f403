// The fast tests of diffusers 0.26.3 for its DDIMPipeline, tests/pipelines/ddim/test_ddim.py, those it inherits from
// tests/pipelines/test_pipelines_common.py where they have a meaning here, and ours. Expected numbers are theirs.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import {
  DDIMPipeline,
  DDIMScheduler,
  type GenerationStep,
  Generator,
  RawImage,
  type Tensor,
  UNet2DModel,
} from 'ddim-wasm';
import { decode } from 'fast-png';
import { failure, fixture, maxDifference, numbers, readFloats, readJson, sha256, withDirectory } from '../support.ts';

const options = (seed = 0) => ({
  batchSize: 1,
  generator: new Generator(seed),
  numInferenceSteps: 2,
  outputType: 'np' as const,
});

/** The last 3 x 3 pixels of the last channel of the first image: `image[0, -3:, -3:, -1]`. */
function slice({ data, shape }: Tensor): number[] {
  const [, h, w, c] = shape as [number, number, number, number];
  return [3, 2, 1].flatMap((y) => [3, 2, 1].map((x) => data[((h - y) * w + (w - x)) * c + c - 1] as number));
}

/** A UNet of plain arithmetic, for tests of the loop. */
class FakeUNet {
  readonly config: { inChannels: number; sampleSize: number | readonly [number, number] };
  readonly timesteps: number[] = [];
  disposed = 0;
  constructor(inChannels = 3, sampleSize: number | readonly [number, number] = [4, 6]) {
    this.config = { inChannels, sampleSize };
  }
  async forward({ data, shape }: Tensor, timestep: number) {
    this.timesteps.push(timestep);
    return { sample: { data: data.map((v) => v * 0.25), shape } };
  }
  async dispose() {
    this.disposed++;
  }
}

function fake(unet = new FakeUNet(), config = {}) {
  const pipe = new DDIMPipeline({ unet, scheduler: new DDIMScheduler(config) });
  pipe.setProgressBarConfig({ disable: true });
  return pipe;
}

async function load(name: string): Promise<DDIMPipeline> {
  const pipe = await DDIMPipeline.fromPretrained(fixture(`pipelines/${name}`));
  pipe.setProgressBarConfig({ disable: true });
  return pipe;
}

describe('test_ddim.py', () => {
  let pipe: DDIMPipeline;
  beforeAll(async () => {
    pipe = await load('dummy');
  });
  afterAll(() => pipe.dispose());

  test('test_inference', async () => {
    const { images } = await pipe.generate(options());
    expect(numbers(images.shape)).toEqual([1, 8, 8, 3]);
    const expected = [0.0, 9.979e-1, 0.0, 9.999e-1, 9.986e-1, 9.991e-1, 7.106e-4, 0.0, 0.0];
    expect(maxDifference(slice(images), expected)).toBeLessThanOrEqual(1e-3);
  });

  test('test_inference, with the larger model of earlier versions, whose weights are drawn here', async () => {
    interface Recipe {
      length: number;
      sha256: string;
      recipe: { draw?: number; low: number; span: number; fill?: number; value: number; at: number | null }[];
    }
    const { length, sha256: digest, recipe } = await readJson<Recipe>('pipelines/drawn/weights.json');
    const weights = new Float32Array(length);
    const generator = new Generator(0);
    for (const { draw, low, span, fill, value, at } of recipe) {
      if (draw === undefined) weights.fill(value, at as number, (at as number) + (fill as number));
      else {
        const values = generator.rand([draw]).data.map((v) => v * span + low);
        if (at !== null) weights.set(values, at);
      }
    }
    expect(sha256(weights)).toBe(digest);

    await withDirectory(async (directory) => {
      await cp(fixture('pipelines/drawn'), directory, { recursive: true });
      await writeFile(`${directory}/unet/model.onnx_data`, new Uint8Array(weights.buffer));
      const larger = await DDIMPipeline.fromPretrained(directory);
      larger.setProgressBarConfig({ disable: true });
      const { images } = await larger.generate(options());
      expect(numbers(images.shape)).toEqual([1, 32, 32, 3]);
      const expected = [1.0, 5.717e-1, 4.717e-1, 1.0, 0.0, 1.0, 3.0e-4, 0.0, 9.0e-4];
      expect(maxDifference(slice(images), expected)).toBeLessThanOrEqual(1e-3);
      const { drawn } = await readJson<{ drawn: { offset: number } }>('pipelines/pipelines.json');
      const recorded = (await readFloats('pipelines/pipelines.bin')).subarray(drawn.offset, drawn.offset + 32 * 32 * 3);
      expect(maxDifference(images.data, recorded)).toBeLessThan(1e-4);
      await larger.dispose();
    });
  });

  test('test_dict_tuple_outputs_equivalent', async () => {
    const { images } = await pipe.generate(options());
    const tuple = await pipe.generate({ ...options(), returnDict: false });
    expect(tuple.length).toBe(1);
    expect(maxDifference(tuple[0].data, images.data)).toBe(0);
  });

  test.each([2, 3, 13])('test_inference_batch_consistent: %i images', async (batchSize) => {
    const { images } = await pipe.generate({ ...options(), batchSize, outputType: 'pil' });
    expect(images.length).toBe(batchSize);
    expect(images.every((image) => image instanceof RawImage && image.data.length === 192)).toBe(true);
    expect(new Set(images.map((image) => sha256(image.data))).size).toBe(batchSize);
  });

  test('test_inference_batch_single_identical', async () => {
    const single = (await pipe.generate(options(5))).images;
    const generator = [new Generator(4), new Generator(5), new Generator(6)];
    const batch = (await pipe.generate({ ...options(), batchSize: 3, generator })).images;
    expect(maxDifference(batch.data.subarray(192, 384), single.data)).toBe(0);
  });

  test('test_components_function', async () => {
    expect(Object.keys(pipe.components).sort()).toEqual(['scheduler', 'unet']);
    expect(pipe.components.unet).toBe(pipe.unet);
    expect(pipe.components.scheduler).toBe(pipe.scheduler);
    const again = new DDIMPipeline(pipe.components);
    again.setProgressBarConfig({ disable: true });
    const [a, b] = [await pipe.generate(options()), await again.generate(options())];
    expect(maxDifference(a.images.data, b.images.data)).toBe(0);
  });
});

describe('test_save_load_local', () => {
  test.each(['dummy', 'gray', 'external', 'half'])('%s', async (name) => {
    await withDirectory(async (directory) => {
      await using pipe = await load(name);
      const before = await pipe.generate({ ...options(), eta: 1 });
      await pipe.savePretrained(`${directory}/saved`);
      const files = (await readdir(`${directory}/saved`, { recursive: true, withFileTypes: true })).filter((f) =>
        f.isFile(),
      );
      const weights = name === 'external' ? ['model.onnx_data'] : [];
      expect(files.map((f) => f.name).sort()).toEqual(
        ['config.json', 'model.onnx', 'model_index.json', 'scheduler_config.json', ...weights].sort(),
      );
      const index = JSON.parse(await readFile(`${directory}/saved/model_index.json`, 'utf8'));
      expect(index).toMatchObject({
        _class_name: 'DDIMPipeline',
        scheduler: ['diffusers', 'DDIMScheduler'],
        unet: ['diffusers', 'UNet2DModel'],
      });
      await using again = await DDIMPipeline.fromPretrained(`${directory}/saved`);
      again.setProgressBarConfig({ disable: true });
      const after = await again.generate({ ...options(), eta: 1 });
      expect(maxDifference(after.images.data, before.images.data)).toBe(0);
      expect({ ...again.scheduler.config }).toMatchObject({ ...pipe.scheduler.config, _class_name: expect.anything() });
      expect(again.unet.config).toEqual(pipe.unet.config);
    });
  });

  test('all files in one folder', async () => {
    await withDirectory(async (directory) => {
      await cp(fixture('pipelines/dummy/unet'), directory, { recursive: true });
      await cp(fixture('pipelines/dummy/scheduler'), directory, { recursive: true });
      await using pipe = await DDIMPipeline.fromPretrained(directory);
      await using usual = await load('dummy');
      pipe.setProgressBarConfig({ disable: true });
      const [a, b] = [await pipe.generate(options()), await usual.generate(options())];
      expect(maxDifference(a.images.data, b.images.data)).toBe(0);
    });
  });

  test('a UNet or scheduler given takes the place of the saved one', async () => {
    const unet = new FakeUNet(3, 8);
    const scheduler = new DDIMScheduler({ clipSample: false });
    const pipe = await DDIMPipeline.fromPretrained(fixture('pipelines/dummy'), { unet, scheduler });
    expect(pipe.unet).toBe(unet);
    expect(pipe.scheduler.config.clipSample).toBe(false);
    pipe.setProgressBarConfig({ disable: true });
    await pipe.generate(options());
    expect(unet.timesteps).toEqual([500, 0]);
  });

  test("a DDPM pipeline's scheduler becomes DDIM by its configuration", async () => {
    await using pipe = await load('gray');
    expect(pipe.scheduler.constructor.name).toMatch(/DDIMScheduler$/);
    expect(pipe.scheduler.config.betaSchedule).toBe('squaredcos_cap_v2');
    expect(pipe.scheduler.config.variance_type).toBe('fixed_small');
    const other = new DDIMPipeline({
      unet: new FakeUNet(),
      scheduler: { config: { beta_start: 0.001, clip_sample: false, variance_type: 'fixed_large' } },
    });
    expect(other.scheduler.config).toMatchObject({ betaStart: 0.001, clipSample: false, variance_type: 'fixed_large' });
  });
});

describe('arguments', () => {
  test("defaults are diffusers': one image, 50 steps, eta 0, pictures", async () => {
    const unet = new FakeUNet();
    const { images } = await fake(unet).generate();
    expect(unet.timesteps).toEqual(Array.from({ length: 50 }, (_, i) => 980 - 20 * i));
    expect(images.length).toBe(1);
    expect([images[0]?.width, images[0]?.height, images[0]?.channels]).toEqual([6, 4, 3]);
  });

  test('without a generator each image is another', async () => {
    const pipe = fake();
    const [a, b] = [await pipe.generate({ numInferenceSteps: 2 }), await pipe.generate({ numInferenceSteps: 2 })];
    expect(sha256(a.images[0]?.data as Uint8Array)).not.toBe(sha256(b.images[0]?.data as Uint8Array));
  });

  test('useClippedModelOutput: null and left out are false', async () => {
    const draw = async (useClippedModelOutput?: boolean | null) =>
      (await fake().generate({ ...options(), useClippedModelOutput })).images.data;
    expect(maxDifference(await draw(null), await draw(false))).toBe(0);
    expect(maxDifference(await draw(undefined), await draw(false))).toBe(0);
    expect(maxDifference(await draw(true), await draw(false))).toBeGreaterThan(1e-5);
  });

  test('the output types are one image in three layouts', async () => {
    const pipe = fake();
    const run = { ...options(3), batchSize: 2 };
    const np = (await pipe.generate({ ...run, generator: new Generator(3), outputType: 'np' })).images;
    const pt = (await pipe.generate({ ...run, generator: new Generator(3), outputType: 'pt' })).images;
    const pil = (await pipe.generate({ ...run, generator: new Generator(3), outputType: 'pil' })).images;
    expect([np, pt].map((t) => numbers(t.shape))).toEqual([
      [2, 4, 6, 3],
      [2, 3, 4, 6],
    ]);
    for (let n = 0; n < 2; n++) {
      for (let c = 0; c < 3; c++) {
        for (let i = 0; i < 24; i++) {
          const value = pt.data[(n * 3 + c) * 24 + i] as number;
          expect(np.data[(n * 24 + i) * 3 + c]).toBe(value);
          expect(Math.abs((pil[n]?.data[i * 3 + c] as number) - value * 255)).toBeLessThanOrEqual(0.5);
        }
      }
    }
  });

  test('latents take the place of the first noise', async () => {
    const pipe = fake();
    const drawn = (await pipe.generate(options(9))).images;
    const latents = new Generator(9).randn([1, 3, 4, 6]);
    const copy = latents.data.slice();
    const generator = new Generator(1);
    const given = (await pipe.generate({ ...options(), generator, latents })).images;
    expect(maxDifference(given.data, drawn.data)).toBe(0);
    expect(maxDifference(latents.data, copy)).toBe(0);
    // which is then not drawn
    expect(sha256(generator.getState())).toBe(sha256(new Generator(1).getState()));
  });

  test.each([
    [1, 5],
    [1, [3, 7] as const],
    [4, 2],
  ])('%i channels of size %j', async (channels, size) => {
    const unet = new FakeUNet(channels, size);
    const { images } = await fake(unet).generate(options());
    const [h, w] = typeof size === 'number' ? [size, size] : size;
    expect(numbers(images.shape)).toEqual([1, h, w, channels]);
  });
});

describe('onStep, stream and signal', () => {
  test('onStep: once a step, in order, and waited for', async () => {
    const seen: GenerationStep[] = [];
    let busy = false;
    const unet = new FakeUNet();
    const pipe = fake(unet);
    await pipe.generate({
      generator: new Generator(0),
      numInferenceSteps: 4,
      async onStep(step) {
        expect(busy).toBe(false);
        busy = true;
        await new Promise((resolve) => setTimeout(resolve, 2));
        expect(unet.timesteps.length).toBe(step.step + 1);
        busy = false;
        seen.push(step);
      },
    });
    expect(seen.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
    expect(seen.map(({ timestep }) => timestep)).toEqual([750, 500, 250, 0]);
    expect(seen.every(({ numSteps }) => numSteps === 4)).toBe(true);
  });

  test('onStep sees x_(t-1) and x0 of each step, and changes nothing', async () => {
    const pipe = fake();
    const plain = (await pipe.generate({ ...options(2), numInferenceSteps: 5, eta: 0.5 })).images;
    const latents: Tensor[] = [];
    const scheduler = new DDIMScheduler();
    scheduler.setTimesteps(5);
    const generator = new Generator(2);
    let sample = generator.randn([1, 3, 4, 6]);
    const { images } = await pipe.generate({
      ...options(2),
      numInferenceSteps: 5,
      eta: 0.5,
      onStep(step) {
        const output = { data: sample.data.map((v) => v * 0.25), shape: sample.shape };
        const expected = scheduler.step(output, step.timestep, sample, { eta: 0.5, generator });
        expect(maxDifference(step.latents.data, expected.prevSample.data)).toBe(0);
        expect(maxDifference(step.predOriginalSample.data, expected.predOriginalSample.data)).toBe(0);
        const preview = step.preview();
        expect(preview.length).toBe(1);
        expect(preview[0] instanceof RawImage).toBe(true);
        sample = expected.prevSample;
        latents.push(step.latents);
      },
    });
    expect(latents.length).toBe(5);
    expect(maxDifference(images.data, plain.data)).toBe(0);
  });

  test('an error of onStep ends the generation and comes through', async () => {
    const unet = new FakeUNet();
    const pipe = fake(unet);
    const error = await failure(() =>
      pipe.generate({
        onStep({ step }) {
          if (step === 2) throw new Error('enough');
        },
      }),
    );
    expect(error.message).toBe('enough');
    expect(unet.timesteps.length).toBe(3);
    expect((await pipe.generate(options())).images.data.length).toBe(72);
  });

  test('a signal that is aborted stops before the next step, with its reason', async () => {
    const unet = new FakeUNet();
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const error = await failure(() =>
      fake(unet).generate({
        signal: controller.signal,
        onStep({ step }) {
          if (step === 1) controller.abort(reason);
        },
      }),
    );
    expect(error).toBe(reason);
    expect(unet.timesteps.length).toBe(2);
  });

  test('a signal that is aborted already: nothing runs', async () => {
    const unet = new FakeUNet();
    const error = await failure(() => fake(unet).generate({ signal: AbortSignal.abort() }));
    expect(error.name).toBe('AbortError');
    expect(unet.timesteps.length).toBe(0);
  });

  test('stream gives the same steps', async () => {
    const pipe = fake();
    const called: string[] = [];
    await pipe.generate({
      ...options(),
      numInferenceSteps: 3,
      onStep: ({ latents }) => void called.push(sha256(latents.data)),
    });
    const streamed: string[] = [];
    for await (const { latents, step } of pipe.stream({ generator: new Generator(0), numInferenceSteps: 3 })) {
      expect(step).toBe(streamed.length);
      streamed.push(sha256(latents.data));
    }
    expect(streamed).toEqual(called);
  });

  test('leaving a stream early leaves the pipeline usable', async () => {
    const unet = new FakeUNet();
    const pipe = fake(unet);
    for await (const { step } of pipe.stream({ numInferenceSteps: 10 })) if (step === 1) break;
    expect(unet.timesteps.length).toBe(2);
    expect((await pipe.generate(options())).images.data.length).toBe(72);
  });
});

describe('a pipeline and what it is made of', () => {
  test('generations at the same time do not disturb one another', async () => {
    const pipe = fake();
    const run = (seed: number, numInferenceSteps: number) =>
      pipe.generate({ ...options(), generator: new Generator(seed), numInferenceSteps, eta: 0.5 });
    const apart = [await run(1, 3), await run(2, 7), await run(3, 20)];
    const together = await Promise.all([run(1, 3), run(2, 7), run(3, 20)]);
    for (const [i, { images }] of together.entries()) {
      expect(maxDifference(images.data, apart[i]?.images.data as Float32Array)).toBe(0);
    }
  });

  test('the same on one model', async () => {
    await using pipe = await load('dummy');
    const run = (seed: number) => pipe.generate({ ...options(), generator: new Generator(seed), numInferenceSteps: 3 });
    const apart = [await run(1), await run(2)];
    const together = await Promise.all([run(1), run(2)]);
    for (const [i, { images }] of together.entries()) {
      expect(maxDifference(images.data, apart[i]?.images.data as Float32Array)).toBe(0);
    }
  });

  test('the scheduler given is left alone', async () => {
    const scheduler = new DDIMScheduler();
    const pipe = new DDIMPipeline({ unet: new FakeUNet(), scheduler });
    pipe.setProgressBarConfig({ disable: true });
    await pipe.generate(options());
    expect(scheduler.numInferenceSteps).toBeNull();
  });

  test('an error of the UNet comes through, and the next generation runs', async () => {
    const unet = new FakeUNet();
    const pipe = fake(unet);
    const { forward } = unet;
    unet.forward = async () => {
      throw new Error('out of memory');
    };
    expect((await failure(() => pipe.generate(options()))).message).toBe('out of memory');
    unet.forward = forward;
    expect((await pipe.generate(options())).images.data.length).toBe(72);
  });

  test('dispose frees the UNet; using it then is an error that says so; twice is once', async () => {
    const unet = new FakeUNet();
    await fake(unet).dispose();
    expect(unet.disposed).toBe(1);

    const pipe = await load('dummy');
    await pipe.dispose();
    await pipe.dispose();
    const error = await failure(() => pipe.generate(options()));
    expect(error.message).toMatch(/disposed/);
  });

  test('setProgressBarConfig takes part of a configuration', () => {
    const pipe = fake();
    pipe.setProgressBarConfig({ desc: 'drawing' });
    pipe.setProgressBarConfig({ leave: false });
    pipe.setProgressBarConfig({});
  });

  test('to: staying where it is', async () => {
    await using pipe = await load('dummy');
    expect(await pipe.to('wasm')).toBe(pipe);
  });
});

describe('UNet2DModel', () => {
  test('the configuration, in camelCase', async () => {
    await using unet = await UNet2DModel.fromPretrained(fixture('pipelines/external'), { subfolder: 'unet' });
    expect(unet.config).toMatchObject({
      sampleSize: 16,
      inChannels: 3,
      outChannels: 3,
      blockOutChannels: [8, 8, 16],
      flipSinToCos: false,
      freqShift: 1,
      downBlockTypes: ['DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D'],
      normEps: 1e-6,
    });
    expect(Object.isFrozen(unet.config)).toBe(true);
  });

  test('forward does not write to its input and gives an array of its own', async () => {
    await using unet = await UNet2DModel.fromPretrained(fixture('pipelines/dummy/unet'));
    const sample = new Generator(0).randn([2, 3, 8, 8]);
    const copy = sample.data.slice();
    const first = (await unet.forward(sample, 500)).sample;
    const kept = first.data.slice();
    await unet.forward(new Generator(1).randn([2, 3, 8, 8]), 10);
    expect(maxDifference(sample.data, copy)).toBe(0);
    expect(maxDifference(first.data, kept)).toBe(0);
  });
});

describe('RawImage', () => {
  const image = new RawImage(Uint8Array.of(0, 128, 255, 7), 2, 2, 1);
  const colour = new RawImage(
    Uint8Array.from({ length: 2 * 3 * 3 }, (_, i) => i * 13),
    2,
    3,
    3,
  );

  test.each([
    ['grey', image],
    ['colour', colour],
  ])('save and toPNG, %s: a decoder finds the pixels again', async (_, picture) => {
    await withDirectory(async (directory) => {
      await mkdir(`${directory}/here`);
      await picture.save(`${directory}/here/test.png`);
      const bytes = await readFile(`${directory}/here/test.png`);
      expect(sha256(bytes)).toBe(sha256(picture.toPNG()));
      const png = decode(bytes);
      expect([png.width, png.height, png.channels, png.depth]).toEqual([
        picture.width,
        picture.height,
        picture.channels,
        8,
      ]);
      expect(numbers(png.data)).toEqual(numbers(picture.data));
      expect(await readdir(`${directory}/here`)).toEqual(['test.png']);
    });
  });

  test('mode, toRGBA, toImageData, toBlob', async () => {
    expect([image.mode, colour.mode]).toEqual(['L', 'RGB']);
    expect(numbers(image.toRGBA())).toEqual([0, 0, 0, 255, 128, 128, 128, 255, 255, 255, 255, 255, 7, 7, 7, 255]);
    expect(numbers(colour.toRGBA()).slice(0, 8)).toEqual([0, 13, 26, 255, 39, 52, 65, 255]);
    const { width, height, data } = colour.toImageData();
    expect([width, height, data.length]).toEqual([2, 3, 24]);
    const blob = await colour.toBlob();
    expect(blob.type).toBe('image/png');
    expect(blob.size).toBe(colour.toPNG().length);
  });

  test('255 * x is rounded to the nearest byte, halves to even', async () => {
    const values = [0, 0.5, 1, 1.5, 2.5, 127.5, 254.4, 254.5, 255].map((v) => v / 255);
    const unet = {
      config: { inChannels: 1, sampleSize: [1, values.length] as const },
      // with eps = (x_t - sqrt(a) x0) / sqrt(1 - a) x0 comes out; a model of "sample" says it outright
      forward: async () => ({
        sample: { data: Float32Array.from(values, (v) => v * 2 - 1), shape: [1, 1, 1, values.length] },
      }),
    };
    const pipe = fake(unet as unknown as FakeUNet, { predictionType: 'sample' });
    const run = { numInferenceSteps: 1, generator: new Generator(0) };
    const { images: floats } = await pipe.generate({ ...run, outputType: 'np' });
    const { images } = await pipe.generate({ ...run, outputType: 'pil' });
    const expected = numbers(floats.data).map((v) => {
      const x = Math.fround(v * 255);
      const low = Math.floor(x);
      return x - low === 0.5 ? low + (low % 2) : Math.round(x);
    });
    expect(numbers(images[0]?.data as Uint8Array)).toEqual(expected);
    expect(
      maxDifference(
        expected,
        values.map((v) => v * 255),
      ),
    ).toBeLessThanOrEqual(0.5 + 1e-4);
  });
});
