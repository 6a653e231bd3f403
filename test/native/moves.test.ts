/** @jest-environment ./test/native/environment.mjs */
// Moves between devices at the same time as others, and as the end: what was asked for last counts, and nothing is left behind.
import { Worker } from 'node:worker_threads';
import { jest } from '@jest/globals';
import { Generator, UNet2DModel } from 'ddim-wasm';
import { failure, fixture, maxDifference, sha256 } from '../support.ts';
import { run } from './run.ts';

/** Every worker of this file, seen when it is first asked something. */
const posted = jest.spyOn(Worker.prototype, 'postMessage');
const alive = () => new Set((posted.mock.contexts as Worker[]).filter(({ threadId }) => threadId !== -1)).size;
afterAll(() => posted.mockRestore());

const load = (options: { workers?: number } = {}) =>
  UNet2DModel.fromPretrained(fixture('checkpoints/safetensors'), options);
const sample = new Generator(0).randn([2, 3, 8, 8]);

run.each([0, 2])('two moves at once: the last one counts: %i workers', async (workers) => {
  await using unet = await load({ workers });
  const before = sha256((await unet.forward(sample, 10)).sample.data);
  await Promise.all([unet.to('cpu'), unet.to('wasm')]);
  expect(unet.device).toBe('wasm');
  expect(alive()).toBe(workers);
  expect(sha256((await unet.forward(sample, 10)).sample.data)).toBe(before);
  await Promise.all([unet.to('cpu'), unet.to('cpu')]);
  expect(unet.device).toBe('cpu');
  expect(alive()).toBe(0);
});

run('of two moves at once, one that fails does not keep the other from being made', async () => {
  await using unet = await load();
  const failed = failure(() => unet.to('webgpu'));
  await unet.to('cpu');
  expect((await failed).message).toMatch(/^device: 'webgpu' runs in browsers only/);
  expect(unet.device).toBe('cpu');
});

run('passes go on while a model moves', async () => {
  await using unet = await load({ workers: 1 });
  const expected = (await unet.forward(sample, 10)).sample.data;
  let moving = true;
  const moves = Promise.all([unet.to('cpu'), unet.to('wasm'), unet.to('cpu')]).finally(() => {
    moving = false;
  });
  let passes = 0;
  for (; moving; passes++) {
    expect(maxDifference((await unet.forward(sample, 10)).sample.data, expected)).toBeLessThan(1e-4);
  }
  await moves;
  expect(passes).toBeGreaterThan(1);
  expect(unet.device).toBe('cpu');
});

const ends: [string, (unet: UNet2DModel) => Promise<unknown>[]][] = [
  ['once', (unet) => [unet.to('wasm')]],
  ['there and back and there again', (unet) => [unet.to('wasm'), unet.to('cpu'), unet.to('wasm')]],
];
run.each(ends)('dispose while it moves %s waits, and leaves nothing behind', async (_, move) => {
  for (const milliseconds of [undefined, 0, 5, 20, 60, 120]) {
    const unet = await load({ workers: 2 });
    await unet.to('cpu');
    const moves = move(unet);
    const reasons: string[] = [];
    let settled = 0;
    for (const promise of moves) {
      const count = () => {
        settled++;
      };
      promise.catch(({ message }: Error) => reasons.push(message)).then(count, count);
    }
    if (milliseconds !== undefined) await new Promise((resolve) => setTimeout(resolve, milliseconds));
    await unet.dispose();
    expect(alive()).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(moves.length);
    if (milliseconds === undefined) expect(reasons.length).toBe(moves.length);
    for (const reason of reasons) expect(reason).toBe('UNet2DModel: already disposed; load it again');
    expect((await failure(() => unet.to('cpu'))).message).toBe('UNet2DModel: already disposed; load it again');
  }
});
