import { parseArgs } from 'node:util';
import { DDIMPipeline, UNet2DModel } from '../index.js';

/** A line of the description; none where the model does not say. */
function line(name: string, value: unknown): string[] {
  if (value === undefined) return [];
  return [`${name.padEnd(14)} ${Array.isArray(value) ? value.join(', ') : value}`];
}

/** A description of a model: architecture, weights and scheduler. */
export async function info(args: string[]): Promise<string[]> {
  const { values, positionals } = parseArgs({ args, options: { model: { type: 'string' } }, allowPositionals: true });
  if (positionals.length > 1) throw new RangeError(`MODEL: expected at most one, got ${positionals.join(' ')}`);
  const model = positionals[0] ?? values.model;
  const pipe = await DDIMPipeline.fromPretrained(model);
  try {
    const { unet, scheduler } = pipe;
    const { config } = unet;
    const size = typeof config.sampleSize === 'number' ? [config.sampleSize, config.sampleSize] : config.sampleSize;
    const weights =
      unet instanceof UNet2DModel
        ? `${(unet.numParameters / 1e6).toFixed(2)} M parameters, ${(unet.numBytes / 2 ** 20).toFixed(1)} MiB`
        : 'unknown';
    return [
      ...line('model', model ?? 'the embedded one'),
      ...line(
        'images',
        `${size[1]} x ${size[0]} pixels, ${config.inChannels} channel${config.inChannels > 1 ? 's' : ''}`,
      ),
      ...line('unet', weights),
      ...line('channels', config.blockOutChannels),
      ...line('down blocks', config.downBlockTypes),
      ...line('up blocks', config.upBlockTypes),
      ...line('layers a block', config.layersPerBlock),
      ...line('scheduler', `DDIM, T = ${scheduler.length}, ${scheduler.config.betaSchedule} betas`),
      ...line('predicts', scheduler.config.predictionType),
    ];
  } finally {
    await pipe.dispose();
  }
}
