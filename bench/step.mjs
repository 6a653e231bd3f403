// One DDIM step (epsilon, clipped, eta 0): the kernel on arrays that lie in its memory, and the public call on arrays of
// JavaScript, against the memory bound, three copies, a fused loop and torch.
import { DDIMScheduler, Generator } from '../dist/esm/index.js';
import { here, interleave } from './harness.mjs';
import { instantiate, memoryBound } from './kernels.mjs';

const SIZES = [200_000, 3_000_000];
const TIMESTEP = 500;
const PREVIOUS = 480;
const { fround, sqrt } = Math;

/** The step in one loop, in JavaScript's own float64. */
function fusedLoop(output, sample, prev, a, b, aPrev, direction) {
  for (let i = 0; i < prev.length; i++) {
    let x0 = (sample[i] - b * output[i]) / a;
    if (x0 > 1) x0 = 1;
    else if (x0 < -1) x0 = -1;
    prev[i] = aPrev * x0 + direction * output[i];
  }
}

/** The same with every operation rounded to float32, as torch rounds it. */
function roundedLoop(output, sample, prev, a, b, aPrev, direction) {
  for (let i = 0; i < prev.length; i++) {
    let x0 = fround(fround(sample[i] - fround(b * output[i])) / a);
    if (x0 > 1) x0 = 1;
    else if (x0 < -1) x0 = -1;
    prev[i] = fround(aPrev * x0) + fround(direction * output[i]);
  }
}

const equal = (x, y) =>
  Buffer.compare(
    new Uint8Array(x.buffer, x.byteOffset, x.byteLength),
    new Uint8Array(y.buffer, y.byteOffset, y.byteLength),
  ) === 0;

export async function measure(torch, rounds) {
  const scheduler = new DDIMScheduler();
  scheduler.setTimesteps(50);
  const [alpha, alphaPrev] = [scheduler.alphasCumprod[TIMESTEP], scheduler.alphasCumprod[PREVIOUS]];
  const [a, b, aPrev, direction] = [alpha, 1 - alpha, alphaPrev, 1 - alphaPrev].map((x) => fround(sqrt(fround(x))));

  const groups = [];
  for (const n of SIZES) {
    const shape = [1, 1, n];
    // A noised picture and a prediction that is nearly its noise: about a sixth of x0 is clamped.
    const generator = new Generator(0);
    const noise = generator.randn(shape);
    const error = generator.randn(shape);
    const picture = { data: Float32Array.from({ length: n }, (_, i) => Math.sin(i / 50)), shape };
    const sample = scheduler.addNoise(picture, noise, TIMESTEP);
    const modelOutput = { data: noise.data.map((z, i) => z + 0.05 * error.data[i]), shape };

    const k = instantiate();
    const bound = await memoryBound(k.memory);
    const bytes = 4 * n;
    const lines = (bytes + 63) & ~63;
    const [pOutput, pSample, pPrev, pNoise, pX0] = Array.from({ length: 5 }, () => k.reserve(lines));
    const at = (address) => new Float32Array(k.memory.buffer, address, n);
    at(pOutput).set(modelOutput.data);
    at(pSample).set(sample.data);
    at(pNoise).set(error.data);
    const kernel = (z, x0, sigma) =>
      k.step(0, false, n, pOutput, pSample, z, pPrev, x0, a, b, 1, aPrev, direction, sigma);
    const prev = new Float32Array(n);
    const loop = (body) => body(modelOutput.data, sample.data, prev, a, b, aPrev, direction);
    const step = (options) => scheduler.step(modelOutput, TIMESTEP, sample, options);

    kernel(0, 0, 0);
    loop(roundedLoop);
    if (!equal(at(pPrev), prev)) throw new Error('the kernel and the rounded loop differ');
    if (!equal(step().prevSample.data, prev)) throw new Error('scheduler.step and the rounded loop differ');

    const copies = [0, 1, 2].map(() => new Float32Array(n));
    const contestants = {
      'memory bound': here(() => bound.endToEnd(lines, pOutput, pSample, pPrev)),
      'memory bound, in four places': here(() => bound.inPlaces(lines, pOutput, pSample, pPrev)),
      kernel: here(() => kernel(0, 0, 0)),
      'kernel, eta 1 (reads 3)': here(() => kernel(pNoise, 0, 0.1)),
      'kernel, with x0 (writes 2)': here(() => kernel(0, pX0, 0)),
      'scheduler.step, [prevSample]': here(() => step({ returnDict: false })),
      'scheduler.step, with x0': here(() => step()),
      'three array copies': here(() => {
        copies[0].set(modelOutput.data);
        copies[1].set(sample.data);
        copies[2].set(prev);
      }),
      'fused JS loop': here(() => loop(fusedLoop)),
      'fused JS loop, rounded as torch': here(() => loop(roundedLoop)),
      ...(torch?.versions.diffusers && { 'diffusers on torch': torch.time('step', n) }),
    };
    groups.push({
      title: `Step, ${n.toLocaleString('en')} elements`,
      n,
      unit: 'ns an element',
      perCall: 1e9 / n,
      reference: 'memory bound',
      relation: 'time',
      times: await interleave(contestants, rounds),
    });
  }
  return groups;
}
