// The embedded model against diffusers: every pixel within one level of 255, and nearly all equal.
import { readFileSync } from 'node:fs';
import { DDIMPipeline, Generator } from 'ddim-wasm';

interface Run {
  seeds?: number[];
  seed?: number;
  batch_size?: number;
  eta: number;
  num_inference_steps: number;
  use_clipped_model_output?: boolean;
  shape: number[];
}

const folder = new URL('../fixtures/embedded/', import.meta.url);
const { runs } = JSON.parse(readFileSync(new URL('embedded.json', folder), 'utf8')) as { runs: Run[] };
const recorded = readFileSync(new URL('embedded.bin', folder));

let pipe: DDIMPipeline;
beforeAll(async () => {
  pipe = await DDIMPipeline.fromPretrained();
  pipe.setProgressBarConfig({ disable: true });
});
afterAll(() => pipe.dispose());

let offset = 0;
const cases = runs.map((run) => {
  const size = run.shape.reduce((n, d) => n * d, 1);
  const expected = recorded.subarray(offset, offset + size);
  offset += size;
  return { name: JSON.stringify(run), run, expected };
});

test('the recording is whole', () => {
  expect(offset).toBe(recorded.length);
  expect(cases.length).toBeGreaterThan(3);
});

test.each(cases)('$name', async ({ run, expected }) => {
  const { images } = await pipe.generate({
    batchSize: run.seeds?.length ?? run.batch_size ?? 1,
    generator: run.seeds ? run.seeds.map((seed) => new Generator(seed)) : new Generator(run.seed),
    eta: run.eta,
    numInferenceSteps: run.num_inference_steps,
    useClippedModelOutput: run.use_clipped_model_output ?? false,
  });
  const pixels = images.flatMap((image) => [...image.data]);
  expect(pixels.length).toBe(expected.length);
  const differences = pixels.map((value, i) => Math.abs(value - (expected[i] as number)));
  expect(Math.max(...differences)).toBeLessThanOrEqual(1);
  expect(differences.filter((d) => d === 0).length / pixels.length).toBeGreaterThan(0.999);
});

test('two generations at a time on one pipeline do not disturb each other', async () => {
  const draw = (seed: number, numInferenceSteps: number) =>
    pipe.generate({ generator: new Generator(seed), numInferenceSteps, eta: 1 });
  const together = await Promise.all([draw(1, 3), draw(2, 5)]);
  const alone = [await draw(1, 3), await draw(2, 5)];
  for (const [i, { images }] of together.entries()) expect(images[0]?.data).toEqual(alone[i]?.images[0]?.data);
});

test('an image is the same in a batch as alone', async () => {
  const seeds = [11, 12, 13];
  const draw = async (list: number[]) => {
    const generator = list.map((seed) => new Generator(seed));
    const { images } = await pipe.generate({ batchSize: list.length, generator, numInferenceSteps: 4, eta: 0.5 });
    return images.map((image) => image.data);
  };
  const batch = await draw(seeds);
  for (const [i, seed] of seeds.entries()) expect((await draw([seed]))[0]).toEqual(batch[i]);
});

test('a timer can cancel a generation', async () => {
  const began = performance.now();
  const signal = AbortSignal.timeout(200);
  await expect(pipe.generate({ generator: new Generator(0), numInferenceSteps: 1000, signal })).rejects.toThrow(
    /timeout|aborted/i,
  );
  // 1,000 steps take more than 20 seconds.
  expect(performance.now() - began).toBeLessThan(10_000);
});

test('a step taken apart still gives its preview', async () => {
  for await (const { step, preview, predOriginalSample } of pipe.stream({ numInferenceSteps: 2 })) {
    expect(preview()[0]?.data.length).toBe(1024);
    expect(predOriginalSample.shape).toEqual([1, 1, 32, 32]);
    expect(step).toBeLessThan(2);
  }
});
