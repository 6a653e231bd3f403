// GET /image?seed=7&steps=20: a PNG that the embedded model draws, with the same pixels as everywhere else.
import { DDIMPipeline, Generator } from 'ddim-wasm';
import index from 'ddim-wasm/models/fashion-mnist/model_index.json';
import scheduler from 'ddim-wasm/models/fashion-mnist/scheduler/scheduler_config.json';
import unet from 'ddim-wasm/models/fashion-mnist/unet/config.json';
import weights from 'ddim-wasm/models/fashion-mnist/unet/diffusion_pytorch_model.safetensors';

const json = (value) => new TextEncoder().encode(JSON.stringify(value));
const files = {
  'model_index.json': json(index),
  'scheduler/scheduler_config.json': json(scheduler),
  'unet/config.json': json(unet),
  'unet/diffusion_pytorch_model.safetensors': new Uint8Array(weights),
};

/** One pipeline for all requests of the isolate; the first one loads it. */
let pipeline;

/** An integer of the query. */
function integer(query, name, otherwise, low, high) {
  const text = query.get(name) ?? otherwise;
  const value = /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  if (value !== undefined && value >= low && value <= high) return value;
  throw new RangeError(`${name}: expected an integer in ${low}..${high}, got ${JSON.stringify(text)}`);
}

async function draw(seed, numInferenceSteps) {
  pipeline ??= DDIMPipeline.fromPretrained(files);
  const { images } = await (await pipeline).generate({ generator: new Generator(seed), numInferenceSteps });
  // The same address gives the same picture, for ever.
  const headers = { 'content-type': 'image/png', 'cache-control': 'public, max-age=31536000, immutable' };
  return new Response(images[0].toPNG(), { headers });
}

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== '/image') return new Response('expected /image?seed=7&steps=20\n', { status: 404 });
    let seed;
    let steps;
    try {
      seed = integer(searchParams, 'seed', '0', 0n, 2n ** 64n - 1n);
      steps = integer(searchParams, 'steps', '20', 1n, 1000n);
    } catch (error) {
      return new Response(`${error.message}\n`, { status: 400 });
    }
    return draw(seed, Number(steps));
  },
};
