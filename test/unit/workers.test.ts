// Workers: the bits are those of one thread, whatever is cancelled, broken or disposed of, and nothing is left behind.
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { jest } from '@jest/globals';
import { DDIMPipeline, type GenerateOptions, Generator, type PretrainedOptions, UNet2DModel } from 'ddim-wasm';
import { failure, fixture, sha256 } from '../support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every worker of this file, seen when it is first asked something. */
const posted = jest.spyOn(Worker.prototype, 'postMessage');
const alive = () => new Set((posted.mock.contexts as Worker[]).filter(({ threadId }) => threadId !== -1));
afterAll(() => posted.mockRestore());

/** Memory of this process, in bytes, after garbage is collected here (in the workers nobody can ask for it). */
function residentBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().rss;
}

async function load(name: string, options: PretrainedOptions = {}): Promise<DDIMPipeline> {
  const pipe = await DDIMPipeline.fromPretrained(fixture(`pipelines/${name}`), options);
  pipe.setProgressBarConfig({ disable: true });
  return pipe;
}

async function hash(pipe: DDIMPipeline, options: Omit<GenerateOptions, 'outputType' | 'returnDict'>): Promise<string> {
  const { images } = await pipe.generate({ numInferenceSteps: 3, ...options, outputType: 'np' });
  return sha256(images.data);
}

const generators = (...seeds: number[]) => seeds.map((seed) => new Generator(seed));

describe('the same bits as without workers', () => {
  const models: string[] = ['gray', 'half', 'external'];
  test.each(models)('%s, alone and in batches', async (name) => {
    const draws: (() => Omit<GenerateOptions, 'outputType' | 'returnDict'>)[] = [
      () => ({ generator: new Generator(1) }),
      () => ({ batchSize: 3, generator: new Generator(2), eta: 1 }),
      () => ({ batchSize: 5, generator: generators(7, 1, 4, 4, 0), eta: 0.5, useClippedModelOutput: true }),
      () => ({ batchSize: 8, generator: new Generator(3) }),
    ];
    const expected: string[] = [];
    for (const workers of name === 'gray' ? [0, 1, 2, 3] : [0, 2]) {
      await using pipe = await load(name, { workers });
      expect((pipe.unet as UNet2DModel).workers).toBe(workers);
      const hashes: string[] = [];
      for (const draw of draws) hashes.push(await hash(pipe, draw()));
      if (workers === 0) expected.push(...hashes);
      expect(hashes).toEqual(expected);
    }
    expect(new Set(expected).size).toBe(draws.length);
  });

  test('classes: each image keeps its own', async () => {
    const directory = fixture('checkpoints/classes');
    const sample = new Generator(0).randn([5, 3, 8, 8]);
    const classLabels = [4, 0, 2, 2, 1];
    await using alone = await UNet2DModel.fromPretrained(directory);
    await using many = await UNet2DModel.fromPretrained(directory, { workers: 3 });
    const { sample: expected } = await alone.forward(sample, 500, { classLabels });
    const { sample: actual } = await many.forward(sample, 500, { classLabels });
    expect([...actual.shape]).toEqual([...expected.shape]);
    expect(sha256(actual.data)).toBe(sha256(expected.data));
    // The labels matter, and so does their order.
    const { sample: other } = await many.forward(sample, 500, { classLabels: [...classLabels].reverse() });
    expect(sha256(other.data)).not.toBe(sha256(expected.data));
  });

  test('two generations at once', async () => {
    await using alone = await load('gray');
    await using pipe = await load('gray', { workers: 2 });
    const draws = [1, 2, 3].map((seed) => (on: DDIMPipeline) => hash(on, { generator: new Generator(seed), eta: 1 }));
    const expected = [];
    for (const draw of draws) expected.push(await draw(alone));
    expect(await Promise.all(draws.map((draw) => draw(pipe)))).toEqual(expected);
  });

  test("files in memory stay the caller's", async () => {
    const directory = fixture('checkpoints/safetensors');
    const names = ['config.json', 'diffusion_pytorch_model.safetensors'];
    const files = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(`${directory}/${name}`))])),
    ) as Record<string, Uint8Array>;
    const sizes = names.map((name) => files[name]?.length);
    const sample = new Generator(0).randn([2, 3, 8, 8]);
    const hashes = [];
    for (const workers of [1, 2, 0]) {
      await using unet = await UNet2DModel.fromPretrained(files, { workers });
      hashes.push(sha256((await unet.forward(sample, 10)).sample.data));
      expect(unet.numBytes).toBeGreaterThan(sizes[1] as number);
    }
    expect(new Set(hashes).size).toBe(1);
    expect(names.map((name) => files[name]?.length)).toEqual(sizes);
    expect(sha256(sample.data)).toBe(sha256(new Generator(0).randn([2, 3, 8, 8]).data));
  });
});

describe('errors', () => {
  const checks: [unknown, typeof TypeError | typeof RangeError, PretrainedOptions?][] = [
    ['2', TypeError],
    [null, TypeError],
    [-1, RangeError],
    [1.5, RangeError],
    [NaN, RangeError],
    [65, RangeError],
    [2, RangeError, { device: 'cpu' }],
    [1, RangeError, { device: 'webgpu' }],
  ];
  test.each(checks)('workers: %p', async (workers, type, options = {}) => {
    const given = { ...options, workers: workers as number };
    for (const of of [UNet2DModel, DDIMPipeline]) {
      const error = await failure(() => of.fromPretrained(fixture('checkpoints/safetensors'), given));
      expect(error.message).toMatch(/^workers: expected .*, got /);
      expect(error).toBeInstanceOf(type);
    }
  });

  test('what goes wrong in a worker is said as it is without one, and the worker goes on', async () => {
    const messages: string[] = [];
    const hashes: string[] = [];
    for (const workers of [0, 2]) {
      await using unet = await UNet2DModel.fromPretrained(fixture('pipelines/gray/unet'), { workers });
      const sample = (height: number) => new Generator(0).randn([3, 1, height, 8]);
      // This file fixes its height at 12.
      messages.push((await failure(() => unet.forward(sample(7), 1))).message);
      hashes.push(sha256((await unet.forward(sample(12), 1)).sample.data));
    }
    expect(messages[0]).toMatch(/model\.onnx: failed on a sample of \[3, 1, 7, 8\] \(.*Got: 7 Expected: 12.*\)/);
    expect(messages[1]).toBe(messages[0]);
    expect(hashes[1]).toBe(hashes[0]);
  });

  test('a model that onnxruntime cannot load: the message is that of one thread, and no worker stays', async () => {
    const model = await readFile(fixture('pipelines/gray/unet/model.onnx'));
    const config = await readFile(fixture('pipelines/gray/unet/config.json'));
    // An operator of another name.
    const at = model.indexOf('Conv');
    const broken = new Uint8Array(model);
    broken.set(new TextEncoder().encode('Cxnv'), at);
    const files = { 'config.json': new Uint8Array(config), 'model.onnx': broken };
    const messages = [];
    for (const workers of [0, 1, 2]) {
      messages.push((await failure(() => UNet2DModel.fromPretrained(files, { workers }))).message);
    }
    expect(messages[0]).toMatch(/model\.onnx: onnxruntime could not load it on 'wasm'/);
    expect(new Set(messages).size).toBe(1);
    expect(alive().size).toBe(0);
  });

  test('a worker that ends by itself fails what it was at, and all that comes later', async () => {
    await using pipe = await load('gray', { workers: 2 });
    const running = failure(() => pipe.generate({ batchSize: 4, numInferenceSteps: 50 }));
    const [victim] = alive();
    setTimeout(() => victim?.terminate(), 20);
    const message = /workers: one ended by itself \(exit code 1\); load the model again/;
    expect((await running).message).toMatch(message);
    expect((await failure(() => pipe.generate())).message).toMatch(message);
    await pipe.dispose();
    expect(alive().size).toBe(0);
  });
});

describe('cancelling', () => {
  test('1,200 times, at random moments: nothing leaks, and the next picture is right', async () => {
    await using alone = await load('gray');
    await using pipe = await load('gray', { workers: 2 });
    const draw = { batchSize: 3, generator: new Generator(9), eta: 1, numInferenceSteps: 4 };
    const expected = await hash(alone, draw);
    const moments = new Generator(0).rand([1200]).data;
    const before = alive();
    expect(before.size).toBe(2);
    // Every second one has far more steps than there is time for; the others may be done before.
    let cancelled = 0;
    let settled = 0;
    for (const [i, moment] of moments.entries()) {
      const long = i % 2 === 0;
      const controller = new AbortController();
      const reason = new Error(`${i}`);
      setTimeout(() => controller.abort(reason), moment * 12);
      try {
        const numInferenceSteps = long ? 1000 : 2;
        await pipe.generate({ batchSize: 3, numInferenceSteps, signal: controller.signal });
      } catch (error) {
        expect(error).toBe(reason);
        if (long) cancelled++;
      }
      if (i === 399) settled = residentBytes();
    }
    expect(cancelled).toBe(600);
    expect(await hash(pipe, { ...draw, generator: new Generator(9) })).toBe(expected);
    expect(alive()).toEqual(before);
    // 40 KB each, or the workers' garbage: 6 to 16 MB were seen.
    expect(residentBytes() - settled).toBeLessThan(32 * 2 ** 20);
  });

  test('rejects at once, while the worker still runs; a pass can be cancelled too', async () => {
    const pipe = await DDIMPipeline.fromPretrained(undefined, { workers: 1 });
    await using unet = pipe.unet as UNet2DModel;
    const sample = new Generator(0).randn([16, 1, 32, 32]);
    const start = performance.now();
    await unet.forward(sample, 1);
    const whole = performance.now() - start;
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 5);
    const before = performance.now();
    const error = await failure(() => unet.forward(sample, 1, { signal: controller.signal }));
    expect(error.name).toBe('AbortError');
    expect(performance.now() - before).toBeLessThan(whole / 2);
    const late = await failure(() => unet.forward(sample, 1, { signal: controller.signal }));
    expect(late.name).toBe('AbortError');
  });
});

describe('the end', () => {
  test('dispose ends what runs and the workers; a second time it does nothing', async () => {
    const pipe = await load('gray', { workers: 2 });
    const running = failure(() => pipe.generate({ batchSize: 4, numInferenceSteps: 50 }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await pipe.dispose();
    expect((await running).message).toMatch(/disposed/);
    expect(alive().size).toBe(0);
    await pipe.dispose();
    expect((await failure(() => pipe.generate())).message).toMatch(/already disposed/);
  });

  const program = (body: string, module: 'esm' | 'cjs' = 'esm') => {
    const load = module === 'esm' ? "await import('ddim-wasm')" : "require('ddim-wasm')";
    const code = `(async () => {
      const { DDIMPipeline, Generator } = ${load};
      const pipe = await DDIMPipeline.fromPretrained(${JSON.stringify(fixture('pipelines/gray'))}, { workers: 2 });
      const draw = async (signal) => (await pipe.generate(
        { batchSize: 2, generator: new Generator(3), numInferenceSteps: 2, signal, outputType: 'np' })).images.data;
      ${body}
    })()`;
    return execFileSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8', timeout: 110_000 }).trim();
  };

  test.each(['esm', 'cjs'] as const)(
    'a process waits for a picture, and ends with idle workers: %s',
    async (module) => {
      const printed = program('console.log(Buffer.from((await draw()).buffer).toString("hex"));', module);
      await using alone = await load('gray');
      const options = { batchSize: 2, generator: new Generator(3), numInferenceSteps: 2 };
      const { images } = await alone.generate({ ...options, outputType: 'np' });
      expect(printed).toBe(Buffer.from(images.data.buffer).toString('hex'));
    },
  );

  test('a process waits for dispose, when idle and when a cancelled pass still runs, and ends', () => {
    const printed = program(`
      const controller = new AbortController();
      const running = draw(controller.signal).catch(({ name }) => console.log(name));
      setImmediate(() => controller.abort());
      await running;
      await pipe.dispose();
      console.log('end');
      const idle = await DDIMPipeline.fromPretrained(undefined, { workers: 1 });
      await new Promise((resolve) => setTimeout(resolve, 50));
      await idle.dispose();
      console.log('end');`);
    expect(printed).toBe('AbortError\nend\nend');
  });
});
