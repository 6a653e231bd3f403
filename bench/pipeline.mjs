// What a generation costs beside the UNet: 50 steps of one picture, timed as a whole, within unet.forward, and within the run of
// onnxruntime that it comes to.
import { InferenceSession } from 'onnxruntime-web';
import { DDIMPipeline, Generator } from '../dist/esm/index.js';
import { seconds } from './harness.mjs';

export async function measure(_torch, runs) {
  const pipe = await DDIMPipeline.fromPretrained(process.env.MODEL);
  let [inside, running] = [0, 0];
  const { run } = InferenceSession.prototype;
  InferenceSession.prototype.run = async function (...args) {
    const start = seconds();
    const result = await run.apply(this, args);
    running += seconds() - start;
    return result;
  };
  const timed = {
    config: pipe.unet.config,
    async forward(sample, timestep) {
      const start = seconds();
      const result = await pipe.unet.forward(sample, timestep);
      inside += seconds() - start;
      return result;
    },
  };
  const whole = new DDIMPipeline({ unet: timed, scheduler: pipe.scheduler });
  // The same work with a UNet that answers at once: the pipeline alone, without the noise of a long forward.
  const answer = await pipe.unet.forward(new Generator(0).randn(shapeOf(pipe.unet.config)), 0);
  const alone = new DDIMPipeline({
    unet: { config: pipe.unet.config, forward: async () => answer },
    scheduler: pipe.scheduler,
  });
  const generate = async (pipeline, eta) => {
    const start = seconds();
    await pipeline.generate({ generator: new Generator(0), eta, numInferenceSteps: 50, outputType: 'pil' });
    return seconds() - start;
  };

  const groups = [];
  for (const eta of [0, 1]) {
    const times = {
      generation: [],
      "of it onnxruntime's run": [],
      'of it all else': [],
      'of it unet.forward': [],
      'of it the pipeline': [],
      'pipeline, UNet at once': [],
    };
    for (let i = 0; i < 20; i++) await generate(alone, eta);
    for (let run = 0; run < runs; run++) {
      [inside, running] = [0, 0];
      const total = await generate(whole, eta);
      times.generation.push(total);
      times["of it onnxruntime's run"].push(running);
      times['of it all else'].push(total - running);
      times['of it unet.forward'].push(inside);
      times['of it the pipeline'].push(total - inside);
      times['pipeline, UNet at once'].push(await generate(alone, eta));
    }
    groups.push({
      title: `Generation of one picture, 50 steps, eta ${eta}`,
      unit: 'ms',
      perCall: 1e3,
      reference: 'generation',
      relation: 'share',
      times,
    });
  }
  InferenceSession.prototype.run = run;
  await pipe.dispose();
  return groups;
}

function shapeOf({ inChannels, sampleSize }) {
  return [1, inChannels, ...(typeof sampleSize === 'number' ? [sampleSize, sampleSize] : sampleSize)];
}
