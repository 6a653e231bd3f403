// Whole generations, from noise to pixels in [0, 1], against what a person would run in its place: the graph of
// torch.onnx.export in onnxruntime-web or onnxruntime-node with DDIM by hand (plain.mjs), and diffusers on torch.
// UNETS is the folder that export_unets.py wrote.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import * as web from 'onnxruntime-web';
import { DDIMPipeline, DDIMScheduler, Generator, UNet2DModel } from '../dist/esm/index.js';
import { CLOCK, seconds, startTorch } from './harness.mjs';
import { generatePlain, openPlain } from './plain.mjs';

const native = await import('onnxruntime-node').catch(() => undefined);
const folderOf = (model) => join(process.env.UNETS, model);

/** Names of the contestants. */
const [OURS, PLAIN] = ['ddim-wasm', 'onnxruntime-web by hand'];
const [OURS_CPU, PLAIN_CPU] = ["ddim-wasm, device 'cpu'", 'onnxruntime-node by hand'];
const torchName = (threads) => `diffusers on torch, ${threads === 1 ? 'one thread' : `${threads} threads`}`;

async function ours(model, device) {
  const unet = await UNet2DModel.fromPretrained(folderOf(model), { device });
  return {
    dispose: () => unet.dispose(),
    generate: ({ batch, size, steps }) => {
      const sized = { config: { ...unet.config, sampleSize: size }, forward: (...args) => unet.forward(...args) };
      const pipe = new DDIMPipeline({ unet: sized, scheduler: new DDIMScheduler() });
      const generator = new Generator(0);
      return pipe.generate({ batchSize: batch, generator, numInferenceSteps: steps, outputType: 'np' });
    },
  };
}

async function byHand(model, ort, provider) {
  const session = await openPlain(ort, readFileSync(join(folderOf(model), 'export.onnx')), provider);
  const { in_channels: channels } = JSON.parse(readFileSync(join(folderOf(model), 'config.json')));
  return {
    dispose: () => session.release(),
    generate: ({ batch, size, steps }) => generatePlain(ort, session, { shape: [batch, channels, size, size], steps }),
  };
}

/** Seconds of one generation here. */
const timed = (contestant) => async (what) => {
  const start = seconds();
  await contestant.generate(what);
  return seconds() - start;
};

/** What is compared, with reasons for what is missing. `kinds` chooses some of the names. */
async function open(model, kinds) {
  const contestants = {};
  const missing = {};
  const closing = [];
  const add = async (name, why, make) => {
    if (!kinds.includes(name)) return;
    if (why) {
      missing[name] = why;
      return;
    }
    const contestant = await make();
    closing.push(contestant.dispose);
    contestants[name] = contestant.time ?? timed(contestant);
  };
  const noNative = native ? undefined : 'no onnxruntime-node: npm run native';
  await add(OURS, undefined, () => ours(model, 'wasm'));
  await add(PLAIN, undefined, () => byHand(model, web, 'wasm'));
  await add(OURS_CPU, noNative, () => ours(model, 'cpu'));
  await add(PLAIN_CPU, noNative, () => byHand(model, native, 'cpu'));
  for (const threads of [1, 2]) {
    const name = torchName(threads);
    if (!kinds.includes(name)) continue;
    if (threads > 1 && CLOCK === 'cpu') {
      missing[name] = 'several threads can be timed on a quiet machine only, by the wall clock';
      continue;
    }
    const torch = await startTorch(threads);
    await add(name, torch?.versions.diffusers ? undefined : 'no torch with diffusers: set PYTHON', () => ({
      dispose: () => torch.stop(),
      time: ({ batch, size, steps }) => torch.time('generate', folderOf(model), batch, size, steps)(1),
    }));
  }
  return { contestants, missing, close: () => Promise.all(closing.map((close) => close())) };
}

/** Times contestants in turns. */
async function inTurns(contestants, what, rounds) {
  const entries = Object.entries(contestants);
  const times = Object.fromEntries(entries.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, time] of round % 2 ? [...entries].reverse() : entries) times[name].push(await time(what));
  }
  return times;
}

/** Single steps before anything is timed, for the engine to compile what they run. */
async function warm(contestants, what, milliseconds = 1500) {
  for (const time of Object.values(contestants)) {
    const start = performance.now();
    do await time({ ...what, steps: 1 });
    while (performance.now() - start < milliseconds);
  }
}

const ALL = [OURS, PLAIN, OURS_CPU, PLAIN_CPU, torchName(1), torchName(2)];
const SIZES = { 'cifar10-32': 32, embedded: 32, 'celebahq-256': 256 };

/** One picture with a model, all contestants. */
async function wholes(model, steps, rounds) {
  if (!existsSync(join(folderOf(model), 'export.onnx'))) return [];
  const { contestants, missing, close } = await open(model, ALL);
  const what = { batch: 1, size: SIZES[model], steps };
  await warm(contestants, what);
  const times = await inTurns(contestants, what, rounds);
  await close();
  const title = `One picture with ${model}, ${steps} ${steps === 1 ? 'step' : 'steps'}`;
  const plot = { plot: 'generation', x: model };
  return [{ title, ...plot, unit: 'ms', perCall: 1e3, reference: PLAIN, relation: 'speed', times, missing }];
}

/** Pictures of a batch against as many single ones. */
async function batches(rounds) {
  const [images, steps] = [8, 10];
  const { contestants, close } = await open('embedded', [OURS]);
  const draw = contestants[OURS];
  const times = await inTurns(
    {
      'one batch': (what) => draw({ ...what, batch: images }),
      'single pictures': async (what) => {
        let sum = 0;
        for (let i = 0; i < images; i++) sum += await draw(what);
        return sum;
      },
    },
    { batch: 1, size: 32, steps },
    rounds + 1,
  );
  await close();
  // The first round warms up.
  for (const name of Object.keys(times)) times[name].shift();
  const title = `${images} pictures with the embedded model, ${steps} steps`;
  return [{ title, unit: 'ms', perCall: 1e3, reference: 'single pictures', relation: 'time', times }];
}

const GROWTH = [
  ...[1, 2, 5, 10, 20, 50, 100].map((steps) => ({ by: 'steps', batch: 1, size: 32, steps })),
  ...[1, 2, 4, 8, 16].map((batch) => ({ by: 'batch', batch, size: 32, steps: 2 })),
  ...[16, 32, 48, 64, 96, 128].map((size) => ({ by: 'size', batch: 1, size, steps: 2 })),
];
const LABELS = { steps: 'steps', batch: 'images in a batch, 2 steps', size: 'pixels of a side, 2 steps' };

/** How the time of the embedded model grows. The exported graph has one size: it is left out where that is changed. */
async function growth(rounds) {
  const { contestants, missing, close } = await open('embedded', [OURS, PLAIN, torchName(1)]);
  await warm(contestants, { batch: 1, size: 32, steps: 1 });
  const groups = [];
  for (const what of GROWTH) {
    const { [PLAIN]: plain, ...others } = contestants;
    const able = what.by === 'size' && what.size !== 32 ? others : { ...others, [PLAIN]: plain };
    const value = what[what.by];
    await warm(able, what, 0);
    groups.push({
      title: `Embedded model, ${value} ${LABELS[what.by]}`,
      plot: what.by,
      x: value,
      label: LABELS[what.by],
      unit: 'ms',
      perCall: 1e3,
      reference: OURS,
      relation: 'speed',
      times: await inTurns(able, what, rounds),
      missing,
    });
  }
  await close();
  return groups;
}

/** @param kind a model, 'batch' or 'growth'. */
export function measure(_torch, rounds, kind) {
  if (kind === 'growth') return growth(rounds);
  if (kind === 'batch') return batches(rounds);
  return wholes(kind, { embedded: 50, 'cifar10-32': 10, 'celebahq-256': 1 }[kind], rounds);
}
