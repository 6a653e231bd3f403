// One forward pass of one image: the graph that is built here from a checkpoint against the one that torch.onnx.export
// makes of the same model, in the same runtime, on one thread. UNETS is the folder that export_unets.py wrote.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web';
import { Generator, UNet2DModel } from '../dist/esm/index.js';
import { median, seconds } from './harness.mjs';
import { openPlain } from './plain.mjs';

/** Seconds of one round, at least. */
const SLICE = 0.15;

/** What both run on: export_unets.py draws the same for torch. */
export function inputs(config) {
  const { sampleSize, inChannels, blockOutChannels, classEmbedType, numClassEmbeds, numTrainTimesteps } = config;
  const shape = [1, inChannels, sampleSize, sampleSize];
  const generator = new Generator(0);
  const sample = generator.randn(shape);
  const timestep = Math.min(500, (numTrainTimesteps ?? 1000) - 1);
  let classLabels;
  if (classEmbedType === 'identity')
    classLabels = generator.randn([1, config.timeEmbeddingDim ?? 4 * blockOutChannels[0]]);
  else if (classEmbedType || numClassEmbeds) classLabels = Math.min(1, (numClassEmbeds ?? 2) - 1);
  const feeds = () => ({
    sample: new ort.Tensor('float32', sample.data, shape),
    timestep: new ort.Tensor('int64', [BigInt(timestep)], [1]),
    ...(typeof classLabels === 'number' && { class_labels: new ort.Tensor('int64', [BigInt(classLabels)], [1]) }),
    ...(typeof classLabels === 'object' && {
      class_labels: new ort.Tensor('float32', classLabels.data, classLabels.shape),
    }),
  });
  return { sample, timestep, feeds, options: classLabels === undefined ? {} : { classLabels } };
}

/** Largest difference, of the largest value. */
export function difference(values, expected) {
  let [most, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    most = Math.max(most, Math.abs(values[i] - expected[i]));
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return most / scale;
}

const floats = (path) => new Float32Array(new Uint8Array(readFileSync(path)).buffer);

async function compare(folder, rounds) {
  const unet = await UNet2DModel.fromPretrained(folder);
  const session = await openPlain(ort, readFileSync(join(folder, 'export.onnx')));
  const { sample, timestep, feeds, options } = inputs(unet.config);
  const contestants = {
    'torch.onnx.export': async () => {
      const { out_sample: output } = await session.run(feeds());
      return output.data;
    },
    'ddim-wasm': async () => (await unet.forward(sample, timestep, options)).sample.data,
  };
  const expected = floats(join(folder, 'expected.bin'));
  const [counts, differences] = [{}, {}];
  for (const [name, body] of Object.entries(contestants)) {
    const times = [];
    for (let i = 0; i < 6 || (times.at(-1) < 0.05 && i < 40); i++) {
      const start = seconds();
      differences[name] = difference(await body(), expected);
      times.push(seconds() - start);
      if (times[0] > 3) break;
    }
    counts[name] = Math.max(1, Math.round(SLICE / median(times.slice(-5))));
  }
  const times = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const order = Object.entries(contestants);
    if (round % 2) order.reverse();
    for (const [name, body] of order) {
      const start = seconds();
      for (let i = 0; i < counts[name]; i++) await body();
      times[name].push((seconds() - start) / counts[name]);
    }
  }
  await unet.dispose();
  await session.release();
  return { times, differences, parameters: unet.numParameters };
}

/** The models of a kind: 'named', 'drawn' or 'large'. */
export const modelsOf = (kind) =>
  readdirSync(process.env.UNETS)
    .filter((name) => existsSync(join(process.env.UNETS, name, 'export.onnx')))
    .filter((name) => (name.startsWith('drawn-') ? 'drawn' : name.endsWith('-256') ? 'large' : 'named') === kind)
    .filter((name) => !process.env.UNET || name === process.env.UNET)
    .sort();

export async function measure(_torch, rounds, kind) {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const groups = [];
  for (const name of modelsOf(kind)) {
    groups.push({
      title: `Forward pass, ${name}`,
      row: name,
      plot: 'forward',
      unit: 'ms',
      perCall: 1e3,
      reference: 'torch.onnx.export',
      relation: 'speed',
      ...(await compare(join(process.env.UNETS, name), rounds)),
    });
  }
  return groups;
}

if (process.argv[1]?.endsWith('unet.mjs')) {
  for (const { row, times, differences } of await measure(null, 3, process.argv[2] ?? 'named')) {
    const ratio = median(times['torch.onnx.export'].map((t, i) => t / times['ddim-wasm'][i]));
    const each = Object.keys(times).map(
      (name) => `${(1e3 * median(times[name])).toFixed(2)} ms (${differences[name].toExponential(1)})`,
    );
    console.log(row.padEnd(16), ratio.toFixed(2), each.join('  '));
  }
}
