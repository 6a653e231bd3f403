// Models of full size with drawn weights: 35.7 and 113.7 million parameters, against diffusers in float32 and float64.
import { rm } from 'node:fs/promises';
import { UNet2DModel } from 'ddim-wasm';
import { withDirectory } from '../support.ts';
import { digest, drawWeights, type FullCase, fullDifferences, loadFullCases, writeCheckpoint } from '../unets.ts';

/** Relative to the largest output; torch itself is 1e-6 away from float64. */
const BOUND = 1e-5;

const cases = await loadFullCases();

/** The checkpoint is drawn in a function of its own, so that its memory is free before the model is loaded. */
async function write(directory: string, one: FullCase): Promise<void> {
  const weights = drawWeights(one);
  expect(digest(weights)).toBe(one.sha256);
  await writeCheckpoint(directory, one, weights);
}

test.each(cases.map((one): [string, FullCase] => [one.name, one]))('%s', (_, one) =>
  withDirectory(async (directory) => {
    await write(directory, one);
    const unet = await UNet2DModel.fromPretrained(directory);
    await rm(directory, { recursive: true });
    expect(unet.numParameters).toBe(one.parameters);
    for await (const { timestep, differences } of fullDifferences(unet, one)) {
      process.stderr.write(
        `${one.name}, t = ${timestep}: ${differences.map((d) => d.toExponential(1)).join(' from float32, ')} from float64\n`,
      );
      for (const difference of differences) expect(difference).toBeLessThan(BOUND);
    }
    await unet.dispose();
  }),
);
