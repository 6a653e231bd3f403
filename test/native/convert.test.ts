/** @jest-environment ./test/native/environment.mjs */
// What `ddim-wasm convert` writes, opened by another runtime (onnxruntime-node) without this library, against the model itself
// and against diffusers.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Generator, type Tensor, UNet2DModel } from 'ddim-wasm';
import type * as Runtime from 'onnxruntime-web';
import { fixture, withDirectory } from '../support.ts';
import {
  type Case,
  drawWeights,
  expectedOutputs,
  inputs,
  loadCases,
  relativeDifference,
  writeCheckpoint,
} from '../unets.ts';
import { run } from './run.ts';

const load = async () => (await import('onnxruntime-node')) as unknown as typeof Runtime;

/** Relative to the largest output. */
const BOUND = 1e-5;

const main = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url));
const convert = (...args: string[]) => promisify(execFile)(process.execPath, [main, 'convert', ...args]);

interface Inputs {
  sample: Tensor;
  timesteps: number[];
  classes?: number[];
}

/** Runs a model.onnx as anyone would; [1] timesteps are for all images. */
async function runOnnx(model: string | Uint8Array, { sample, timesteps, classes }: Inputs): Promise<Runtime.Tensor> {
  const { InferenceSession, Tensor } = await load();
  const options: Runtime.InferenceSession.SessionOptions = { logSeverityLevel: 3 };
  // Apart, for a path and bytes are different calls.
  const session =
    typeof model === 'string'
      ? await InferenceSession.create(model, options)
      : await InferenceSession.create(model, options);
  const integers = (values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
  const feeds: Record<string, Runtime.Tensor> = {
    sample: new Tensor('float32', sample.data, [...sample.shape]),
    timestep: integers(timesteps),
  };
  if (classes) feeds.class_labels = integers(classes);
  expect([...session.inputNames].sort()).toEqual(Object.keys(feeds).sort());
  expect([...session.outputNames]).toEqual(['out_sample']);
  const { out_sample: output } = await session.run(feeds);
  await session.release();
  return output as Runtime.Tensor;
}

interface Model {
  /** A fixture, or the embedded model. */
  path: string;
  variant?: string;
  /** Of a sample. */
  shape: number[];
  classes?: number[];
}
const models: Model[] = [
  { path: 'checkpoints/pipeline', shape: [3, 3, 8, 8] },
  { path: 'checkpoints/pipeline-fp16', variant: 'fp16', shape: [2, 3, 16, 8] },
  { path: 'checkpoints/pipeline-bin', shape: [2, 3, 8, 8] },
  { path: 'checkpoints/ddim-lsun-bedroom', shape: [2, 3, 8, 8] },
  { path: 'checkpoints/sharded', shape: [2, 3, 8, 8] },
  { path: 'checkpoints/bf16', shape: [2, 3, 8, 8] },
  { path: 'checkpoints/fourier-bin', shape: [2, 3, 8, 8] },
  { path: 'checkpoints/classes', shape: [3, 3, 8, 8], classes: [4, 0, 2] },
  { path: '../../models/fashion-mnist', shape: [2, 1, 32, 32] },
];

run.each(models)('$path: the same values within 1e-5', ({ path, variant, shape, classes }) =>
  withDirectory(async (directory) => {
    const from = fixture(path);
    await convert(from, ...(variant ? ['--variant', variant] : []), '--out', directory);
    const model = `${directory}/unet/model.onnx`;
    const subfolder = existsSync(`${from}/unet`) ? 'unet' : '';
    await using unet = await UNet2DModel.fromPretrained(from, { subfolder, ...(variant && { variant }) });
    const sample = new Generator(3).randn(shape);
    const labels = classes ? { classLabels: classes } : {};
    const last = 999;
    const ours = (await unet.forward(sample, last, labels)).sample;
    const one = await runOnnx(model, { sample, timesteps: [last], classes });
    expect([...one.dims]).toEqual([...ours.shape]);
    expect(relativeDifference(one.data as Float32Array, ours.data)).toBeLessThanOrEqual(BOUND);
    // A timestep for each image.
    const timesteps = shape.slice(0, 1).flatMap((batch) => Array.from({ length: batch }, (_, i) => last - 400 * i));
    const each = await runOnnx(model, { sample, timesteps, classes });
    const size = ours.data.length / timesteps.length;
    for (const [i, timestep] of timesteps.entries()) {
      const { data } = (await unet.forward(sample, timestep, labels)).sample;
      const image = (values: Float32Array) => values.slice(i * size, (i + 1) * size);
      expect(relativeDifference(image(each.data as Float32Array), image(data))).toBeLessThanOrEqual(BOUND);
    }
  }),
);

// Every eighth of the drawn architectures, of those whose labels are integers, if any.
const cases = (await loadCases()).filter(
  ({ illConditioned, runs }) => !illConditioned && runs.every(({ labels }) => labels !== 'identity'),
);
run.each(cases.filter((_, i) => i % 8 === 0).map((one): [string, Case] => [one.name, one]))(
  'toOnnx of %s: what diffusers gives, within 1e-4',
  (_, one) =>
    withDirectory(async (directory) => {
      await writeCheckpoint(directory, one, drawWeights(one));
      await using unet = await UNet2DModel.fromPretrained(directory);
      const onnx = await unet.toOnnx();
      const expected = await expectedOutputs(one);
      for (const [i, pass] of one.runs.entries()) {
        const { sample, timestep, classLabels } = inputs(one, pass);
        const classes = classLabels as number[] | undefined;
        const output = await runOnnx(onnx, { sample, timesteps: [timestep], classes });
        const { data, shape } = expected[i] as (typeof expected)[number];
        expect([...output.dims]).toEqual([...shape]);
        expect(relativeDifference(output.data as Float32Array, data)).toBeLessThanOrEqual(1e-4);
      }
    }),
);
