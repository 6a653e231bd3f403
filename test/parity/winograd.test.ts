// Convolutions with fewer multiplications: the transforms against the convolution itself, every tiling forced upon the drawn
// architectures of fixtures/unets against diffusers, and the plan that chooses among them.
import { createHash } from 'node:crypto';
import { Generator, UNet2DModel } from 'ddim-wasm';
import * as ort from 'onnxruntime-web';
import type { Tiling } from '../../src/unet/graph/cook-toom.ts';
import type { Engine } from '../../src/unet/graph/cost.ts';
import type { Convolution, Planning } from '../../src/unet/graph/plan.ts';
import { internal } from '../internal.ts';
import { failure, sha256, withDirectory } from '../support.ts';
import {
  type Case,
  drawWeights,
  expectedOutputs,
  inputs,
  loadCases,
  relativeDifference,
  safetensors,
  writeCheckpoint,
} from '../unets.ts';

const { TILINGS, DOUBLING_TILINGS, isDoubling } =
  await internal<typeof import('../../src/unet/graph/cook-toom.ts')>('unet/graph/cook-toom');
const { assemble, buildGraph } = await internal<typeof import('../../src/unet/graph/build.ts')>('unet/graph/build');
const { makePlan } = await internal<typeof import('../../src/unet/graph/plan.ts')>('unet/graph/plan');
const { extraBytes } = await internal<typeof import('../../src/unet/graph/cost.ts')>('unet/graph/cost');
const { unetArchitecture } = await internal<typeof import('../../src/config/architecture.ts')>('config/architecture');
const { readSafetensors } =
  await internal<typeof import('../../src/unet/weights/safetensors.ts')>('unet/weights/safetensors');

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

/** Relative to the largest output. */
const BOUND = 2e-5;

const cases = await loadCases();

describe.each([...TILINGS, ...DOUBLING_TILINGS].map((tiling): [string, Tiling] => [tiling.name, tiling]))(
  '%s',
  (_, tiling) => {
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);

    test('its transforms are a convolution', () => {
      const { step, outputs, at, g, bt } = tiling;
      const map = Array.from({ length: step + 2 }, (_, i) => ((i * 37) % 11) - 4);
      const filter = [3, -7, 5];
      const products = g.map((row, j) => dot(row, filter) * dot(bt[j] as readonly number[], map));
      // Every output of a doubled map reads three values of map[-1], map[0], map[0], map[1], map[1], ...
      const wide = isDoubling(tiling) ? map.flatMap((value) => [value, value]).slice(1, -1) : map;
      for (let i = 0; i < outputs; i++) {
        expect(dot(at[i] as readonly number[], products)).toBeCloseTo(dot(filter, wide.slice(i, i + 3)), 10);
      }
    });

    test('A^T and B^T are exact in float32', () => {
      for (const value of [...tiling.at, ...tiling.bt].flat()) expect(Math.fround(value)).toBe(value);
    });
  },
);

const tensorsOf = (one: Case) => {
  const bytes = safetensors(drawWeights(one));
  return { bytes, tensors: readSafetensors('weights', 'weights', bytes) };
};

const drawn = cases.filter(({ kind }) => kind === 'safetensors' || kind === 'sharded');
test('most drawn architectures are forced through tilings', () => expect(drawn.length).toBeGreaterThanOrEqual(40));

describe.each(
  TILINGS.map((tiling, i): [string, Tiling, Tiling] => [tiling.name, tiling, DOUBLING_TILINGS[i] as Tiling]),
)('%s wherever it can be', (_, tiling, doubling) => {
  test.each(drawn.map((one): [string, Case] => [`${one.name}, ${one.family}`, one]))('%s', async (_, one) => {
    const { bytes, tensors } = tensorsOf(one);
    let forced = 0;
    const planner = (conv: Convolution) => {
      forced++;
      return conv.doubling ? doubling : tiling;
    };
    const { graph } = assemble(unetArchitecture(one.config), { tensors }, 'model', planner);
    expect(forced).toBeGreaterThan(2);
    const session = await ort.InferenceSession.create(graph.encode(), {
      executionProviders: ['wasm'],
      logSeverityLevel: 3,
      externalData: [{ path: 'weights', data: bytes }],
    });
    const expected = await expectedOutputs(one);
    for (const [i, run] of one.runs.entries()) {
      const { sample, timestep, classLabels } = inputs(one, run);
      const { out_sample: output } = await session.run({
        sample: new ort.Tensor('float32', sample.data, sample.shape),
        timestep: new ort.Tensor('int64', [BigInt(timestep)], [1]),
        ...(classLabels !== undefined && {
          class_labels: Array.isArray(classLabels)
            ? new ort.Tensor('int64', BigInt64Array.from(classLabels, BigInt), [classLabels.length])
            : new ort.Tensor('float32', classLabels.data, classLabels.shape),
        }),
      });
      const { data, shape } = expected[i] as (typeof expected)[number];
      expect(output?.dims).toEqual(shape);
      expect(relativeDifference(output?.data as Float32Array, data)).toBeLessThanOrEqual(BOUND);
    }
    await session.release();
  });
});

describe('the plan', () => {
  const config = unetArchitecture({
    sample_size: 32,
    block_out_channels: [128, 256, 256, 256],
    down_block_types: ['DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D', 'DownBlock2D'],
    up_block_types: ['UpBlock2D', 'UpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'],
  });
  const conv = (path: string, channels: number, level: number, doubling = false): Convolution => ({
    path,
    channels,
    out: channels,
    level,
    doubling,
  });
  const convs = [
    conv('a', 128, 0),
    conv('b', 256, 1),
    conv('c', 256, 2),
    conv('d', 256, 3),
    { ...conv('e', 128, 0), out: 3 },
    conv('f', 256, 2, true),
    conv('f', 256, 1),
  ];
  const names = (maxExtraBytes: number, engine: Engine = 'wasm') => {
    const { tilings } = makePlan(convs, config, { engine, maxExtraBytes });
    return Object.fromEntries([...tilings].map(([path, { name }]) => [path, name]));
  };

  test('what was measured to be faster', () => {
    expect(names(Infinity)).toMatchObject({ a: 'F(4,3)', b: 'F(4,3)', c: 'F(2,3)' });
    expect(names(Infinity)).not.toHaveProperty('d');
    expect(names(Infinity)).not.toHaveProperty('e');
    expect(names(Infinity, 'cpu')).toMatchObject({ a: 'F(4,3)', b: 'F(4,3)' });
    for (const path of ['c', 'd', 'e']) expect(names(Infinity, 'cpu')).not.toHaveProperty(path);
  });

  test.each([0, 1e5, 1e6, 5e6, 1e7, 1e8])('a cap of %d bytes is kept', (cap) => {
    const { tilings, extraBytes: extra } = makePlan(convs, config, { engine: 'wasm', maxExtraBytes: cap });
    expect(extra).toBeLessThanOrEqual(cap);
    const sum = [...tilings].reduce((bytes, [path, tiling]) => {
      return bytes + extraBytes(convs.find((one) => one.path === path) as Convolution, tiling);
    }, 0);
    expect(extra).toBe(sum);
  });

  test('a larger cap is never slower by the model, and a tiling that adds nothing is kept at 0', () => {
    expect(Object.values(names(0)).every((name) => name === '2 x F(1,2)')).toBe(true);
    expect(Object.keys(names(1e7)).length).toBeGreaterThanOrEqual(Object.keys(names(1e6)).length);
  });

  test('one graph for a model and its options', () => {
    const one = cases.find(({ config: { block_out_channels: widths } }) => widths.some((n) => n >= 32)) as Case;
    const { tensors } = tensorsOf(one);
    const hash = (planning: Planning | null) =>
      createHash('sha256')
        .update(buildGraph(unetArchitecture(one.config), { tensors }, 'model', planning).graph.encode())
        .digest('hex');
    const every = () => [null, { engine: 'wasm', maxExtraBytes: 1e9 } as const].map(hash);
    expect(every()).toEqual(every());
    expect(new Set(every()).size).toBe(2);
  });
});

describe('the option winograd', () => {
  const embedded = 'models/fashion-mnist/unet';

  test('is on by default, can be capped and switched off', async () => {
    const [on, capped, off] = await Promise.all([
      UNet2DModel.fromPretrained(embedded),
      UNet2DModel.fromPretrained(embedded, { winograd: { maxExtraBytes: 2 ** 20 } }),
      UNet2DModel.fromPretrained(embedded, { winograd: false }),
    ]);
    expect(on.plan?.tilings.size).toBeGreaterThan(10);
    expect(on.plan?.convolutions).toBeGreaterThanOrEqual(on.plan?.tilings.size as number);
    expect(capped.plan?.extraBytes).toBeLessThanOrEqual(2 ** 20);
    expect(capped.plan?.tilings.size).toBeGreaterThan(0);
    expect(off.plan?.tilings.size).toBe(0);
    expect(off.plan?.extraBytes).toBe(0);
    const sample = new Generator(0).randn([1, 1, 32, 32]);
    const [a, b, c] = await Promise.all([on, capped, off].map((unet) => unet.forward(sample, 500)));
    expect(sha256(a?.sample.data as Float32Array)).not.toBe(sha256(c?.sample.data as Float32Array));
    for (const other of [a, b]) {
      expect(relativeDifference(other?.sample.data as Float32Array, c?.sample.data as Float32Array)).toBeLessThan(2e-5);
    }
    for (const unet of [on, capped, off]) await unet.dispose();
  });

  test.each<[string, unknown, string]>([
    ['a word', 'yes', 'winograd: expected an object of options'],
    ['another key', { bytes: 1 }, 'winograd: expected the keys maxExtraBytes'],
    ['a negative cap', { maxExtraBytes: -1 }, 'winograd.maxExtraBytes: expected'],
  ])('%s is refused', async (_, winograd, message) => {
    const { message: said } = await failure(() =>
      UNet2DModel.fromPretrained(embedded, { winograd: winograd as boolean }),
    );
    expect(said).toContain(message);
  });

  test('an image has the same bits alone and in a batch', () =>
    withDirectory(async (directory) => {
      const one = cases.find(
        ({ config: { class_embed_type, num_class_embeds } }) => !class_embed_type && !num_class_embeds,
      );
      await writeCheckpoint(directory, one as Case);
      for (const path of [directory, embedded]) {
        const unet = await UNet2DModel.fromPretrained(path);
        const { inChannels, sampleSize } = unet.config;
        const size = typeof sampleSize === 'number' ? [sampleSize, sampleSize] : [...sampleSize];
        const { data } = new Generator(1).randn([3, inChannels, ...size]);
        const all = await unet.forward({ data, shape: [3, inChannels, ...size] }, 10);
        const each = data.length / 3;
        const out = all.sample.data.length / 3;
        for (let i = 0; i < 3; i++) {
          const alone = await unet.forward(
            { data: data.slice(i * each, (i + 1) * each), shape: [1, inChannels, ...size] },
            10,
          );
          expect(alone.sample.data).toEqual(all.sample.data.slice(i * out, (i + 1) * out));
        }
        await unet.dispose();
      }
    }));
});
