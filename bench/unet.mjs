// One forward pass of one image: the graph that is built here from a checkpoint against the one that torch.onnx.export
// makes of the same model, in the same runtime, on one thread. UNETS is the folder that export_unets.py wrote.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web';
import { Generator, UNet2DModel } from '../dist/esm/index.js';
import { median, seconds } from './harness.mjs';

export const ORT_OPTIONS = { executionProviders: ['wasm'], graphOptimizationLevel: 'all', logSeverityLevel: 3 };
/** Seconds of one round, at least. */
const SLICE = 0.2;

/** What both run on. */
export function inputs(config) {
  const { sampleSize, inChannels, numClassEmbeds } = config;
  const shape = [1, inChannels, sampleSize, sampleSize];
  const sample = new Generator(0).randn(shape);
  const feeds = () => ({
    sample: new ort.Tensor('float32', sample.data, shape),
    timestep: new ort.Tensor('int64', [500n], [1]),
    ...(numClassEmbeds && { class_labels: new ort.Tensor('int64', [1n], [1]) }),
  });
  return { sample, feeds, options: numClassEmbeds ? { classLabels: 1 } : {} };
}

async function compare(folder, rounds) {
  const unet = await UNet2DModel.fromPretrained(folder);
  const session = await ort.InferenceSession.create(readFileSync(join(folder, 'export.onnx')), ORT_OPTIONS);
  const { sample, feeds, options } = inputs(unet.config);
  const contestants = {
    'ddim-wasm': () => unet.forward(sample, 500, options),
    'torch.onnx.export': async () => {
      for (const value of Object.values(await session.run(feeds()))) value.dispose();
    },
  };
  const counts = {};
  for (const [name, body] of Object.entries(contestants)) {
    const times = [];
    for (let i = 0; i < 6 || (times.at(-1) < 0.05 && i < 40); i++) {
      const start = seconds();
      await body();
      times.push(seconds() - start);
      if (times[0] > 5 && i > 0) break;
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
  return times;
}

export async function measure(_torch, runs) {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const folder = process.env.UNETS;
  if (!folder) return [];
  const groups = [];
  for (const name of readdirSync(folder).sort()) {
    if (process.env.UNET && name !== process.env.UNET) continue;
    const big = name.endsWith('-256');
    groups.push({
      title: `Forward pass, ${name}`,
      unit: 'ms',
      perCall: 1e3,
      reference: 'torch.onnx.export',
      relation: 'speed',
      times: await compare(join(folder, name), big ? Math.min(runs, 3) : runs),
    });
  }
  return groups;
}
