// The graph that is built from a checkpoint against diffusers' own forward pass: architectures drawn at random over all of
// UNet2DModel's options (fixtures/unets), as safetensors of some kind and as .bin, with one image and with three.
import { UNet2DModel } from 'ddim-wasm';
import { failure, withDirectory } from '../support.ts';
import {
  type Case,
  digest,
  drawWeights,
  expectedOutputs,
  inputs,
  loadCases,
  type Run,
  relativeDifference,
  writeBinCheckpoint,
  writeCheckpoint,
} from '../unets.ts';

/** Relative to the largest output. */
const BOUND = 1e-4;

const cases = await loadCases();

test('at least 60 architectures with batches of 1 and 3, each run by a release of diffusers', () => {
  const both = cases.filter(({ runs }) => [1, 3].every((n) => runs.some(({ batch }) => batch === n)));
  expect(both.length).toBeGreaterThanOrEqual(60);
  for (const { diffusers } of cases) expect(diffusers.length).toBeGreaterThan(0);
});

test.each(cases.map((one): [string, Case] => [`${one.name}, ${one.family}, ${one.kind}`, one]))('%s', (_, one) =>
  withDirectory(async (directory) => {
    const weights = drawWeights(one);
    expect(digest(weights)).toBe(one.sha256);
    await writeCheckpoint(directory, one, weights);
    const unet = await UNet2DModel.fromPretrained(directory);
    expect(unet.numParameters).toBe(one.parameters);
    const expected = await expectedOutputs(one);
    for (const [i, run] of one.runs.entries()) {
      const { sample, timestep, classLabels } = inputs(one, run);
      const output = await unet.forward(sample, timestep, classLabels === undefined ? {} : { classLabels });
      const { data, shape } = expected[i] as (typeof expected)[number];
      expect(output.sample.shape).toEqual(shape);
      expect(relativeDifference(output.sample.data, data)).toBeLessThanOrEqual(BOUND);
    }
    await unet.dispose();
  }),
);

test.each(cases.map((one): [string, Case] => [`${one.name}, ${one.kind}`, one]))('%s, as a .bin', (_, one) =>
  withDirectory(async (directory) => {
    await writeBinCheckpoint(directory, one);
    const unet = await UNet2DModel.fromPretrained(directory);
    const expected = await expectedOutputs(one);
    for (const [i, run] of one.runs.entries()) {
      const { sample, timestep, classLabels } = inputs(one, run);
      const output = await unet.forward(sample, timestep, classLabels === undefined ? {} : { classLabels });
      expect(relativeDifference(output.sample.data, expected[i]?.data as Float32Array)).toBeLessThanOrEqual(BOUND);
    }
    await unet.dispose();
  }),
);

// For null diffusers 0.26.3 takes "conv", the default: fixtures/unets/samplers.py held that against 45 architectures. So the
// outputs recorded with "conv" are those with null.
const isConv = (value: unknown) => value === undefined || value === 'conv';
const attends = (types: unknown, name: string) => (types as string[]).slice(0, -1).some((type) => type.endsWith(name));
const sampled = cases.filter(
  ({ config }) =>
    [config.downsample_type, config.upsample_type].every(isConv) &&
    attends(config.down_block_types, 'AttnDownBlock2D') &&
    attends(config.up_block_types, 'AttnUpBlock2D'),
);
test('samplers of null are convolutions', async () => {
  expect(sampled.length).toBeGreaterThanOrEqual(10);
  for (const one of sampled) {
    const config = { ...one.config, downsample_type: null, upsample_type: null };
    await withDirectory(async (directory) => {
      await writeCheckpoint(directory, { ...one, config }, drawWeights(one));
      await using unet = await UNet2DModel.fromPretrained(directory);
      const { sample, timestep, classLabels } = inputs(one, one.runs[0] as Run);
      const output = await unet.forward(sample, timestep, classLabels === undefined ? {} : { classLabels });
      const [expected] = await expectedOutputs(one);
      expect(relativeDifference(output.sample.data, expected?.data as Float32Array)).toBeLessThanOrEqual(BOUND);
    });
  }
});

// Multiples of 2^(levels - 1), and no others, are what diffusers 0.26.3 takes: fixtures/unets/sizes.py held that against 60
// architectures on 13 sizes each.
const deep = cases.find(({ config }) => {
  const { block_out_channels: channels, num_class_embeds: classes = null, class_embed_type: type = null } = config;
  return channels.length === 3 && classes === null && type === null;
}) as Case;
test.each([{}, { winograd: false }, { winograd: true }] as const)(
  'sizes that no level can halve are refused: %j',
  (options) =>
    withDirectory(async (directory) => {
      await writeCheckpoint(directory, deep, drawWeights(deep));
      const unet = await UNet2DModel.fromPretrained(directory, options);
      const draw = ([height, width]: number[]) => {
        const shape = [1, deep.config.in_channels, height as number, width as number];
        const data = new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.5);
        return unet.forward({ data, shape }, 1);
      };
      for (const size of [
        [1, 1],
        [6, 6],
        [10, 14],
        [13, 15],
        [8, 5],
      ]) {
        const error = await failure(() => draw(size));
        expect(error).toBeInstanceOf(RangeError);
        expect(error.message).toBe(
          `sample: expected a height and a width that are multiples of 4 for this model, got ${size[0]} x ${size[1]}`,
        );
      }
      expect((await draw([4, 12])).sample.shape.slice(2)).toEqual([4, 12]);
      await unet.dispose();
    }),
);
