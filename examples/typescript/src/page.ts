import { configure, DDIMPipeline, Generator, type RawImage, type Tensor } from 'ddim-wasm';
import { DDIMScheduler } from 'ddim-wasm/scheduler';

configure({ assets: new URL('ddim-wasm/', location.href) });

export async function draw(canvas: HTMLCanvasElement, seed: number): Promise<ImageData> {
  const pipe = await DDIMPipeline.fromPretrained();
  const { images } = await pipe.generate({ generator: new Generator(seed), numInferenceSteps: 4 });
  const [image] = images satisfies RawImage[];
  if (!image) throw new Error('no image');
  image.draw(canvas);
  return image.toImageData();
}

export function noise(seed: bigint): Tensor {
  const scheduler = new DDIMScheduler({ numTrainTimesteps: 1000 });
  scheduler.setTimesteps(10);
  return new Generator(seed).randn([1, 3, scheduler.timesteps.length, 8]);
}
