import { writeFile } from 'node:fs/promises';
import { DDIMPipeline, type GenerateOptions, Generator, UNet2DModel } from 'ddim-wasm';
import { DDIMScheduler, type DDIMSchedulerConfig } from 'ddim-wasm/scheduler';

export async function draw(
  model: string,
  options: Pick<GenerateOptions, 'eta' | 'numInferenceSteps'> = {},
): Promise<void> {
  const unet = await UNet2DModel.fromPretrained(model, { subfolder: 'unet' });
  const pipe = new DDIMPipeline({ unet, scheduler: new DDIMScheduler() });
  const { images } = await pipe.generate({ ...options, generator: new Generator(7), outputType: 'np' });
  await writeFile('picture.f32', images.data);
}

export async function* previews(config: Partial<DDIMSchedulerConfig>): AsyncGenerator<Uint8Array> {
  const pipe = await DDIMPipeline.fromPretrained(undefined, { scheduler: new DDIMScheduler(config) });
  for await (const step of pipe.stream({ signal: AbortSignal.timeout(1000) })) {
    for (const image of step.preview()) yield image.toPNG();
  }
}
