// Fits the cost model by which the graph builder chooses how to do a 3 x 3 convolution (src/unet/graph/cost.ts): times single
// convolutions on one thread, directly and with every tiling, and prints the constants.
//
//     node winograd.mjs            in onnxruntime-web: about three minutes
//     node winograd.mjs cpu        in onnxruntime-node, after `npm run native`
//
// A time is what three more convolutions add to a graph that has one, the median of several runs; the fit is by least squares
// of the relative errors.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { median, seconds } from './harness.mjs';

const device = process.argv[2] ?? 'wasm';
const ort = await import(device === 'wasm' ? 'onnxruntime-web' : 'onnxruntime-node');
const OPTIONS = {
  executionProviders: [device],
  graphOptimizationLevel: 'all',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
};
const root = fileURLToPath(new URL('..', import.meta.url));

/** Convolutions: channels, channels of the result, size of the (square) map. */
const SHAPES = [
  ...[8, 16, 32, 64].flatMap((size) => [16, 24, 32, 48, 64, 96, 128].map((channels) => [channels, channels, size])),
  ...[4, 8, 16, 32].flatMap((size) => [
    [256, 256, size],
    [512, 256, size],
    [128, 256, size],
  ]),
  ...[4, 8, 16].map((size) => [512, 512, size]),
  ...[7, 14, 28, 20].flatMap((size) => [
    [32, 32, size],
    [64, 64, size],
    [128, 64, size],
  ]),
  ...[16, 32, 64].flatMap((size) => [
    [3, 64, size],
    [64, 3, size],
    [1, 32, size],
    [32, 1, size],
  ]),
  [128, 128, 128],
  [64, 64, 256],
];

/** The builder's own modules, which are not exported. */
async function internals() {
  const outfile = `${root}build/bench/internals.mjs`;
  const modules = ['convolution', 'cook-toom', 'cost', 'onnx', 'parameters', 'sizes'];
  await build({
    stdin: {
      contents: modules.map((name) => `export * from './src/unet/graph/${name}.ts';`).join('\n'),
      resolveDir: root,
    },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  });
  return import(outfile);
}

/** A graph of `count` such convolutions of one map and their sum. */
function graphOf(modules, [channels, out, size], tiling, count) {
  const { OnnxGraph, Parameters, Sizes, conv3x3, doubledConv3x3, isDoubling } = modules;
  const values = Float32Array.from({ length: out * channels * 9 + out }, (_, i) => ((i * 7919) % 1013) / 1013 - 0.5);
  const tensor = (shape, offset) => ({
    dtype: 'float32',
    shape,
    file: 'weights',
    offset,
    length: shape.reduce((a, b) => a * b) * 4,
  });
  const names = Array.from({ length: count }, (_, i) => `conv${i}`);
  const tensors = new Map(
    names.flatMap((name) => [
      [`${name}.weight`, tensor([out, channels, 3, 3], 0)],
      [`${name}.bias`, tensor([out], out * channels * 36)],
    ]),
  );
  const graph = new OnnxGraph();
  const parameters = new Parameters('model', tensors, graph);
  // As many levels as leave whole tiles wherever this size is a whole number of them.
  const config = { blockOutChannels: new Array(size % 4 === 0 ? 3 : size % 2 === 0 ? 2 : 1) };
  const context = { graph, parameters, config, sizes: new Sizes(graph), plan: () => tiling };
  const convolve = tiling && isDoubling(tiling) ? doubledConv3x3 : conv3x3;
  let sum = '';
  for (const name of names) {
    // Maps of their own: the runtime would transform a common one once.
    const x = { name: graph.input(`${name}.x`, 'float32', [1, channels, 'h', 'w']), channels, level: 0 };
    const y = convolve(context, name, x, out).name;
    sum = sum === '' ? y : graph.node('sum', 'Add', [sum, y]);
  }
  graph.rename(sum, 'y');
  graph.output('y', 'float32', [1, out, 'h2', 'w2']);
  return { names, model: graph.encode(new Map([['weights', new Uint8Array(values.buffer)]])) };
}

async function open(modules, shape, tiling, count) {
  const { names, model } = graphOf(modules, shape, tiling, count);
  const session = await ort.InferenceSession.create(model, OPTIONS);
  const [channels, , size] = shape;
  const data = Float32Array.from({ length: channels * size * size }, (_, i) => ((i * 104729) % 2027) / 2027 - 0.5);
  const run = async () => {
    const start = seconds();
    const input = () => new ort.Tensor('float32', data, [1, channels, size, size]);
    const { y } = await session.run(Object.fromEntries(names.map((name) => [`${name}.x`, input()])));
    y.dispose();
    return 1e3 * (seconds() - start);
  };
  return { run, release: () => session.release() };
}

/** Nanoseconds of one convolution (and one sum of its results): what three more of them take. */
async function time(modules, shape, tiling) {
  const [one, four] = [await open(modules, shape, tiling, 1), await open(modules, shape, tiling, 4)];
  const times = [];
  for (let i = 0, start = performance.now(); i < 8 || (i < 60 && performance.now() - start < 400); i++) {
    const before = await one.run();
    times.push(((await four.run()) - before) / 3);
  }
  await one.release();
  await four.release();
  return 1e6 * median(times.slice(3));
}

/** Coefficients x >= 0 of the least sum of (a x / t - 1)^2, by coordinate descent. */
function fit(rows, times) {
  const a = rows.map((row, i) => row.map((value) => value / times[i]));
  const x = new Array(rows[0].length).fill(0);
  for (let round = 0; round < 20000; round++) {
    for (let j = 0; j < x.length; j++) {
      let top = 0;
      let bottom = 0;
      for (const row of a) {
        const rest = row.reduce((sum, value, k) => (k === j ? sum : sum + value * x[k]), 0);
        top += row[j] * (1 - rest);
        bottom += row[j] * row[j];
      }
      x[j] = Math.max(0, top / bottom);
    }
  }
  return x;
}

if (device === 'wasm') {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
}
const modules = await internals();
const { TILINGS, DOUBLING_TILINGS, work, isDoubling } = modules;
const samples = [];
// The first round lets the engine compile what it will run.
for (let round = 0; round < 2; round++) {
  samples.length = 0;
  for (const shape of round === 0 ? SHAPES.slice(0, 20) : SHAPES) {
    const [channels, out, size] = shape;
    for (const tiling of [null, ...TILINGS, ...DOUBLING_TILINGS]) {
      if (tiling && isDoubling(tiling) && (size > 32 || Math.min(channels, out) < 16)) continue;
      const amounts = work({ channels, out, rows: size, columns: size }, tiling);
      samples.push({ shape, tiling, time: await time(modules, shape, tiling), work: amounts });
    }
  }
}
for (const [label, kind] of [
  ['DIRECT', samples.filter(({ tiling }) => !tiling)],
  ['TILED', samples.filter(({ tiling }) => tiling)],
]) {
  const x = fit(
    kind.map((sample) => sample.work),
    kind.map((sample) => sample.time),
  );
  console.log(`${label} = [${x.map((value) => value.toPrecision(3)).join(', ')}]`);
  for (const sample of kind) sample.model = sample.work.reduce((sum, value, k) => sum + value * x[k], 0);
}
console.log('channels, out, size: measured us / model us');
for (const shape of SHAPES) {
  const texts = samples
    .filter((sample) => sample.shape === shape)
    .map(
      ({ tiling, time, model }) => `${tiling?.name ?? 'direct'} ${(time / 1e3).toFixed(0)}/${(model / 1e3).toFixed(0)}`,
    );
  console.log(`${shape.join(' ')}: ${texts.join('  ')}`);
}
