/** @jest-environment ./test/native/environment.mjs */
// The native device, through the optional peer onnxruntime-node.
import { DDIMPipeline, Generator, UNet2DModel } from 'ddim-wasm';
import { withDirectory } from '../support.ts';
import { drawWeights, type FullCase, fullDifferences, loadFullCases, writeCheckpoint } from '../unets.ts';
import { run } from './run.ts';

const models = ['dummy', 'gray', 'half', 'external'];

// The float16 fixture rounds each layer to 11 bits, and the two runtimes sum in different orders.
run.each(models)("the fixture '%s' gives the same picture on cpu as on wasm, within 1e-4", async (name) => {
  const directory = new URL(`../fixtures/pipelines/${name}`, import.meta.url).pathname;
  const draw = async (device: 'wasm' | 'cpu') => {
    const pipe = await DDIMPipeline.fromPretrained(directory, { device });
    pipe.setProgressBarConfig({ disable: true });
    const options = { generator: new Generator(5), numInferenceSteps: 4, eta: 0.5, outputType: 'np' } as const;
    const { images } = await pipe.generate({ ...options, batchSize: 2 });
    await pipe.dispose();
    return images;
  };
  const [wasm, cpu] = [await draw('wasm'), await draw('cpu')];
  expect(cpu.shape).toEqual(wasm.shape);
  const worst = wasm.data.reduce((max, v, i) => Math.max(max, Math.abs(v - (cpu.data[i] as number))), 0);
  expect(worst).toBeLessThanOrEqual(name === 'half' ? 4e-3 : 1e-4);
});

run.each([0, 2])(
  'a pipeline moves from wasm to cpu and back, and draws the same again: %i workers',
  async (workers) => {
    const directory = new URL('../fixtures/pipelines/dummy', import.meta.url).pathname;
    await using pipe = await DDIMPipeline.fromPretrained(directory, { workers });
    pipe.setProgressBarConfig({ disable: true });
    const draw = async () =>
      (await pipe.generate({ generator: new Generator(1), numInferenceSteps: 2 })).images[0]?.data;
    const before = await draw();
    const unet = pipe.unet as UNet2DModel;
    expect(unet.workers).toBe(workers);
    // A pass that is under way when the model moves is finished.
    const running = draw();
    await pipe.to('cpu');
    await running;
    expect(unet.workers).toBe(0);
    await draw();
    await pipe.to('wasm');
    expect(unet.workers).toBe(workers);
    expect(await draw()).toEqual(before);
  },
);

run('faster convolutions, which a large model gets here too, agree with diffusers', () =>
  withDirectory(async (directory) => {
    const one = (await loadFullCases())[0] as FullCase;
    await writeCheckpoint(directory, one, drawWeights(one));
    const [fast, direct] = [
      await UNet2DModel.fromPretrained(directory, { device: 'cpu' }),
      await UNet2DModel.fromPretrained(directory, { device: 'cpu', winograd: false }),
    ];
    expect(fast.plan?.tilings.size).toBeGreaterThan(10);
    expect(direct.plan?.tilings.size).toBe(0);
    for (const unet of [fast, direct]) {
      for await (const { differences } of fullDifferences(unet, one)) {
        for (const difference of differences) expect(difference).toBeLessThan(1e-5);
      }
      await unet.dispose();
    }
  }),
);
