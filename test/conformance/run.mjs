// Runs the cases of cases.json and gives the SHA-256 of what comes out. One module for every runtime: standard JavaScript
// and the library, which the caller brings; no Node.

/** SHA-256 of a typed array's bytes, in hex. WebAssembly leaves the bits of a NaN to the processor: one stands for all. */
async function sha256(view) {
  const values = view.slice();
  if (values instanceof Float32Array) {
    const bits = new Uint32Array(values.buffer);
    values.forEach((value, i) => {
      if (Number.isNaN(value)) bits[i] = 0x7fc00000;
    });
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', values));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const keyOf = (model, options = {}) => JSON.stringify([model, options]);

/** One model at a time is kept loaded. */
function loader({ DDIMPipeline }, place) {
  let key;
  let pipe;
  const dispose = () => pipe?.dispose();
  return {
    dispose,
    async load(model, options) {
      const wanted = keyOf(model, options);
      if (wanted === key) return pipe;
      await dispose();
      [key, pipe] = [undefined, undefined];
      pipe = await DDIMPipeline.fromPretrained(await place(model), options);
      pipe.setProgressBarConfig({ disable: true });
      key = wanted;
      return pipe;
    },
  };
}

/** What each call of a generator draws. */
async function noise({ Generator }, { seed, calls }) {
  const generator = new Generator(BigInt(seed));
  const hashes = {};
  for (const [i, [method, shape]] of calls.entries()) {
    hashes[`${i} ${method} ${shape.join('x')}`] = await sha256(generator[method](shape).data);
  }
  return hashes;
}

/** The schedule, then steps with noise in place of a model's predictions. */
async function scheduler({ DDIMScheduler, Generator }, { config, steps, eta, clipped = false, shape, seed }) {
  const one = DDIMScheduler.fromConfig(config);
  one.setTimesteps(steps);
  const hashes = {
    betas: await sha256(one.betas),
    alphasCumprod: await sha256(one.alphasCumprod),
    timesteps: await sha256(one.timesteps),
  };
  const [start, predictions, variance] = [seed, seed + 1000, seed + 2000].map((s) => new Generator(s));
  let sample = start.randn(shape);
  for (const [i, timestep] of one.timesteps.entries()) {
    const { prevSample, predOriginalSample } = one.step(predictions.randn(shape), timestep, sample, {
      eta,
      useClippedModelOutput: clipped,
      generator: variance,
    });
    hashes[`step ${i} sample`] = await sha256(prevSample.data);
    hashes[`step ${i} x0`] = await sha256(predOriginalSample.data);
    sample = prevSample;
  }
  return hashes;
}

/**
 * Each image of a generation: latents after every step, and pixels. Images that have seeds of their own are drawn in
 * batches of the `sizes` given, and bear the same names however they are split.
 */
async function generation({ Generator }, one, { load }) {
  const { model, load: options = {}, seeds, seed, labels, steps, eta = 0, clipped = false } = one;
  const pipe = await load(model, options);
  const { workers = pipe.unet.workers } = options;
  if (pipe.unet.workers !== workers) throw new Error(`${pipe.unet.workers} workers in place of ${workers}`);
  const { sizes = [seeds?.length ?? one.batch] } = one;
  const hashes = {};
  let first = 0;
  for (const batchSize of sizes) {
    const name = (i) => `image ${first + i}`;
    const { images } = await pipe.generate({
      batchSize,
      generator: seeds ? seeds.slice(first, first + batchSize).map((s) => new Generator(s)) : new Generator(seed),
      numInferenceSteps: steps,
      eta,
      useClippedModelOutput: clipped,
      ...(labels && { classLabels: labels.slice(first, first + batchSize) }),
      onStep: async ({ step, latents: { data } }) => {
        const size = data.length / batchSize;
        for (let i = 0; i < batchSize; i++) {
          hashes[`${name(i)} step ${step}`] = await sha256(data.subarray(i * size, (i + 1) * size));
        }
      },
    });
    for (const [i, image] of images.entries()) hashes[`${name(i)} pixels`] = await sha256(image.data);
    first += batchSize;
  }
  return hashes;
}

const GROUPS = { noise, scheduler };

/** All cases with their groups, those of one model together: loading takes longer than running. */
function inOrder(cases) {
  const together = new Map();
  for (const [group, list] of Object.entries(cases)) {
    for (const one of list) {
      const key = keyOf(one.model, one.load);
      together.set(key, [...(together.get(key) ?? []), [group, one]]);
    }
  }
  return [...together.values()].flat();
}

/**
 * Runs all cases, one after the other.
 * @param library the exports of ddim-wasm.
 * @param cases what cases.json holds, or a part of it.
 * @param place what `fromPretrained` takes for a model, by its path in the repository, or for the embedded one, which has
 *   none; may be a promise.
 * @param report called with `{ group, name, hashes }` or `{ group, name, error }` of each case.
 */
export async function runCases({ library, cases, place, report }) {
  const models = loader(library, place);
  for (const [group, one] of inOrder(cases)) {
    const result = await (GROUPS[group] ?? generation)(library, one, models).then(
      (hashes) => ({ hashes }),
      (error) => ({ error: String(error) }),
    );
    await report({ group, name: one.name, ...result });
  }
  await models.dispose();
}
