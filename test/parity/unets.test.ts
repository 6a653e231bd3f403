// The graph that is built from a checkpoint against diffusers' own forward pass: architectures drawn at random over all of
// UNet2DModel's options (fixtures/unets), in every container, with one image and with three.
import { UNet2DModel } from 'ddim-wasm';
import { withDirectory } from '../support.ts';
import {
  type Case,
  digest,
  drawWeights,
  expectedOutputs,
  inputs,
  loadCases,
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
    const [run] = one.runs as [Case['runs'][number]];
    const { sample, timestep, classLabels } = inputs(one, run);
    const output = await unet.forward(sample, timestep, classLabels === undefined ? {} : { classLabels });
    const [expected] = await expectedOutputs(one);
    expect(relativeDifference(output.sample.data, expected?.data as Float32Array)).toBeLessThanOrEqual(BOUND);
    await unet.dispose();
  }),
);
