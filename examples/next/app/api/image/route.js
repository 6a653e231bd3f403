import { DDIMPipeline, Generator } from 'ddim-wasm';

// Loaded once, by the first request.
let pipe;

export async function GET(request) {
  const seed = Number(new URL(request.url).searchParams.get('seed'));
  if (!Number.isInteger(seed)) return new Response('seed: expected an integer', { status: 400 });
  pipe ??= DDIMPipeline.fromPretrained();
  const { images } = await (await pipe).generate({ generator: new Generator(seed), numInferenceSteps: 4 });
  return new Response(images[0].toPNG(), { headers: { 'content-type': 'image/png' } });
}
