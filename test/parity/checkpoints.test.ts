// Checkpoints and pipelines as releases of diffusers wrote them (fixtures/checkpoints): every container, variant, layout and
// old name, against what diffusers makes of them. Then the same models written by this library, in both its forms.
import { execFile } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DDIMPipeline, Generator, type Tensor, UNet2DModel } from 'ddim-wasm';
import {
  bitDifference,
  bitsOf,
  failure,
  fixture,
  maxDifference,
  readFloats,
  readJson,
  withDirectory,
} from '../support.ts';
import { relativeDifference } from '../unets.ts';

interface Checkpoint {
  name: string;
  variant: string | null;
  pipeline: boolean;
  files: Record<string, number>;
  forward?: { shape: number[]; offset: number };
  images?: { shape: number[]; offset: number };
  scheduler?: Record<string, unknown>;
}

const { input, generation, checkpoints } = await readJson<{
  input: { seed: number; shape: number[]; timestep: number; classLabels: number[] };
  generation: { seed: number; numInferenceSteps: number };
  checkpoints: Checkpoint[];
}>('checkpoints/checkpoints.json');
const values = await readFloats('checkpoints/checkpoints.bin');
const parameters = await readJson<Record<string, number>>('checkpoints/info.json');

const recorded = ({ shape, offset }: { shape: number[]; offset: number }): Float32Array =>
  values.slice(offset, offset + shape.reduce((n, d) => n * d, 1));
const variantOf = ({ variant }: Checkpoint) => (variant === null ? {} : { variant });

async function forward(unet: UNet2DModel): Promise<Tensor> {
  const options = unet.config.numClassEmbeds ? { classLabels: input.classLabels } : {};
  const sample = new Generator(input.seed).randn(input.shape);
  return (await unet.forward(sample, input.timestep, options)).sample;
}

const named = (list: Checkpoint[]) => list.map((one): [string, Checkpoint] => [one.name, one]);
const loadable = checkpoints.filter((one) => one.forward);

describe.each(named(loadable))('%s', (name, one) => {
  const nested = Object.keys(one.files).includes('unet/config.json');
  const load = (from = fixture(`checkpoints/${name}`)) =>
    UNet2DModel.fromPretrained(from, { ...variantOf(one), ...(nested && { subfolder: 'unet' }) });

  test('forward pass and number of parameters', async () => {
    const unet = await load();
    expect(unet.numParameters).toBe(parameters[name]);
    const output = await forward(unet);
    expect(output.shape).toEqual(one.forward?.shape);
    expect(relativeDifference(output.data, recorded(one.forward as { shape: number[]; offset: number }))).toBeLessThan(
      1e-5,
    );
    await unet.dispose();
  });

  test('its files in memory give the same', async () => {
    const root = fixture(`checkpoints/${name}`);
    const files: Record<string, Uint8Array | Blob> = {};
    for (const path of await readdir(root, { recursive: true })) {
      if (!(await stat(join(root, path))).isFile()) continue;
      const bytes = await readFile(join(root, path));
      files[path] = path.endsWith('.json') ? new Blob([bytes]) : new Uint8Array(bytes);
    }
    const unet = await UNet2DModel.fromPretrained(files, { ...variantOf(one), ...(nested && { subfolder: 'unet' }) });
    const directory = await load();
    expect(bitDifference((await forward(unet)).data, bitsOf((await forward(directory)).data))).toBe('');
    for (const model of [unet, directory]) await model.dispose();
  });

  test('saved, and loaded again, it is the same', () =>
    withDirectory(async (directory) => {
      const unet = await load();
      const before = await forward(unet);
      await unet.savePretrained(directory);
      expect((await readdir(directory)).sort()).toEqual(['config.json', 'diffusion_pytorch_model.safetensors']);
      const again = await UNet2DModel.fromPretrained(directory);
      expect(bitDifference((await forward(again)).data, bitsOf(before.data))).toBe('');
      await writeFile(`${directory}/model.onnx`, await unet.toOnnx());
      const whole = await UNet2DModel.fromPretrained(directory);
      expect(whole.numParameters).toBe(unet.numParameters);
      expect(bitDifference((await forward(whole)).data, bitsOf(before.data))).toBe('');
      for (const model of [unet, again, whole]) await model.dispose();
    }));
});

describe.each(named(checkpoints.filter((one) => one.images)))('pipeline %s', (name, one) => {
  test('pictures and scheduler', () =>
    withDirectory(async (directory) => {
      const pipe = await DDIMPipeline.fromPretrained(fixture(`checkpoints/${name}`), variantOf(one));
      const { images } = await pipe.generate({
        generator: new Generator(generation.seed),
        numInferenceSteps: generation.numInferenceSteps,
        outputType: 'np',
      });
      expect(images.shape).toEqual(one.images?.shape);
      expect(maxDifference(images.data, recorded(one.images as { shape: number[]; offset: number }))).toBeLessThan(
        1e-5,
      );
      await pipe.scheduler.savePretrained(directory);
      const saved = JSON.parse(await readFile(`${directory}/scheduler_config.json`, 'utf8'));
      expect(saved).toEqual(one.scheduler);
      await pipe.dispose();
    }));
});

test('a UNet alone gets the default schedule, with a warning', async () => {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (message: string) => warnings.push(message);
  try {
    const pipe = await DDIMPipeline.fromPretrained(fixture('checkpoints/safetensors'));
    expect(pipe.scheduler.length).toBe(1000);
    await pipe.dispose();
  } finally {
    console.warn = warn;
  }
  expect(warnings.join()).toMatch(/has no scheduler_config.json; taking DDIMScheduler's defaults/);
});

test('names of July 2022 alone, which diffusers no longer reads', async () => {
  const pipe = await DDIMPipeline.fromPretrained(fixture('checkpoints/ddim-july-keys'));
  expect(pipe.unet.config).toMatchObject({ sampleSize: 8, blockOutChannels: [4], normNumGroups: 2 });
  await pipe.dispose();
});

test('the UNetModel of June 2022 is refused by name', async () => {
  const error = await failure(() => DDIMPipeline.fromPretrained(fixture('checkpoints/ddim-june')));
  expect(error.message).toMatch(/ddim-june\/model_index.json: expected a UNet2DModel as the unet, got "UNetModel"$/);
});

test('classes: as many labels as images, within their range, and only where there are classes', async () => {
  const unet = await UNet2DModel.fromPretrained(fixture('checkpoints/classes'));
  const plain = await UNet2DModel.fromPretrained(fixture('checkpoints/safetensors'));
  const sample = new Generator(0).randn([2, 3, 8, 8]);
  const last = (unet.config.numClassEmbeds as number) - 1;
  const message = async (labels: unknown, model = unet) =>
    (await failure(() => model.forward(sample, 1, { classLabels: labels as number }))).message;
  expect(await message(undefined)).toBe(
    `classLabels: expected an integer in 0..${last} for each image, for the model has classes, got undefined`,
  );
  expect(await message([0])).toBe('classLabels: expected 2, one for each image, got 1');
  expect(await message([0, last + 1])).toBe(`classLabels[1]: expected an integer in 0..${last}, got ${last + 1}`);
  expect(await message('a')).toBe(`classLabels: expected an integer in 0..${last}, got "a"`);
  expect(await message(0, plain)).toBe('classLabels: expected none, for the model has no classes, got 0');
  const both = (await unet.forward(sample, 1, { classLabels: 3 })).sample;
  expect(bitDifference((await unet.forward(sample, 1, { classLabels: [3, 3] })).sample.data, bitsOf(both.data))).toBe(
    '',
  );

  const pipe = await DDIMPipeline.fromPretrained(fixture('checkpoints/pipeline'), { unet });
  pipe.setProgressBarConfig({ disable: true });
  const draw = async (classLabels: number | number[], batchSize: number) =>
    (
      await pipe.generate({
        classLabels,
        batchSize,
        latents: { data: sample.data.slice(0, batchSize * 192), shape: [batchSize, 3, 8, 8] },
        numInferenceSteps: 2,
        outputType: 'pt',
      })
    ).images.data;
  const [one, two] = [await draw(1, 1), await draw([1, 2], 2)];
  expect(maxDifference(two.slice(0, 192), one)).toBeLessThan(1e-5);
  expect(maxDifference(await draw(2, 1), one)).toBeGreaterThan(1e-3);
  expect((await failure(() => pipe.generate())).message).toMatch(/^classLabels: expected an integer/);
  await unet.dispose();
  await plain.dispose();
});

describe('ddim-wasm', () => {
  const main = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url));
  const run = async (...args: string[]) => (await promisify(execFile)(process.execPath, [main, ...args])).stdout;

  test.each(['pipeline', 'flat', 'ddim-lsun-bedroom'])('convert %s: one file that draws the same', (name) =>
    withDirectory(async (directory) => {
      expect(await run('convert', fixture(`checkpoints/${name}`), '--out', directory)).toBe('');
      expect((await readdir(`${directory}/unet`)).sort()).toEqual(['config.json', 'model.onnx']);
      const draw = async (model: string) => {
        const pipe = await DDIMPipeline.fromPretrained(model);
        pipe.setProgressBarConfig({ disable: true });
        const { images } = await pipe.generate({ generator: new Generator(3), numInferenceSteps: 3, outputType: 'pt' });
        await pipe.dispose();
        return images.data;
      };
      expect(bitDifference(await draw(directory), bitsOf(await draw(fixture(`checkpoints/${name}`))))).toBe('');
    }),
  );

  test('info: architecture, parameters, memory, time', async () => {
    const text = await run('info', fixture('checkpoints/pipeline-fp16'), '--variant', 'fp16');
    expect(text).toMatch(/^unet +0\.00 M parameters/m);
    expect(text).toMatch(/^down blocks +\w+Block2D/m);
    expect(text).toMatch(/^a step +\d+ ms on one thread here, one image; 50 steps take/m);
    expect(text).toMatch(/^peak memory +\d+ MiB/m);
  });

  test('convert without a model, a directory, or with two', async () => {
    for (const [args, message] of [
      [['convert', '--out', 'x'], /MODEL: expected one, got none/],
      [['convert', 'a'], /--out: expected a directory, got none/],
      [['convert', 'a', 'b', '--out', 'x'], /MODEL: expected one, got a b/],
    ] as const) {
      expect((await failure(() => run(...args))).message).toMatch(message);
    }
  });
});
