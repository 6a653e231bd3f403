// Workers: a batch of 8 images with the embedded model (or MODEL), in this thread and in one and two workers. Wall time
// only, whatever BENCH_CLOCK says: the point is to use more cores at once. Two workers need two idle cores.
import { createHash } from 'node:crypto';
import { DDIMPipeline, Generator } from '../dist/esm/index.js';

const IMAGES = 8;
const STEPS = 10;
const CONTESTANTS = { 'this thread': 0, '1 worker': 1, '2 workers': 2 };

export async function measure(_torch, runs) {
  const pipes = {};
  for (const [name, workers] of Object.entries(CONTESTANTS)) {
    pipes[name] = await DDIMPipeline.fromPretrained(process.env.MODEL, { workers });
    pipes[name].setProgressBarConfig({ disable: true });
  }
  const hashes = new Set();
  const generate = async (pipe) => {
    const start = performance.now();
    const { images } = await pipe.generate({
      batchSize: IMAGES,
      generator: new Generator(0),
      eta: 1,
      numInferenceSteps: STEPS,
      outputType: 'np',
    });
    const taken = (performance.now() - start) / 1e3;
    hashes.add(createHash('sha256').update(images.data).digest('hex'));
    return taken;
  };
  const times = Object.fromEntries(Object.keys(pipes).map((name) => [name, []]));
  for (let run = 0; run <= runs; run++) {
    for (const [name, pipe] of Object.entries(pipes)) {
      const taken = await generate(pipe);
      // The first of each warms up.
      if (run > 0) times[name].push(taken);
    }
  }
  for (const pipe of Object.values(pipes)) await pipe.dispose();
  if (hashes.size !== 1) throw new Error(`workers: expected one and the same batch, got ${hashes.size}`);
  const title = `Generation of ${IMAGES} pictures, ${STEPS} steps, in workers`;
  return [{ title, unit: 'ms', perCall: 1e3, reference: '1 worker', relation: 'time', times }];
}
