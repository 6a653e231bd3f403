import { parseArgs } from 'node:util';
import {
  DDIMPipeline,
  type DDIMScheduler,
  type ForwardOptions,
  Generator,
  UNet2DModel,
  type UNetConfig,
} from '../index.js';
import { hasClasses } from '../unet/class-labels.js';
import { MODEL_OPTIONS, toPretrained } from './options.js';

/** A line of the description; none where the model does not say. */
function line(name: string, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  return [`${name.padEnd(14)} ${Array.isArray(value) ? value.join(', ') : value}`];
}

const seconds = (s: number): string => (s < 1 ? `${Math.round(s * 1000)} ms` : `${s.toFixed(1)} s`);

const MEBIBYTE = 2 ** 20;
/** A step is timed until this much time has gone, and three times at least. */
const TIMING = 2000;

/** Times forward passes of one image: the median, once the engine has warmed up. */
async function time(unet: UNet2DModel, shape: number[], timestep: number): Promise<string[]> {
  const sample = new Generator(0).randn(shape);
  const options = classLabels(unet.config);
  const times: number[] = [];
  for (const start = performance.now(); times.length < 3 || performance.now() - start < TIMING; ) {
    const before = performance.now();
    await unet.forward(sample, timestep, options);
    times.push(performance.now() - before);
  }
  const step = (times.sort((a, b) => a - b)[times.length >> 1] as number) / 1000;
  const peak = process.resourceUsage().maxRSS / 1024;
  return [
    ...line('a step', `${seconds(step)} on one thread here, one image; 50 steps take ${seconds(50 * step)}`),
    ...line('peak memory', `${Math.round(peak)} MiB for this process, loading included`),
  ];
}

/** Any class will do for the time that a step takes. */
function classLabels(config: UNetConfig): ForwardOptions {
  if (!hasClasses(config)) return {};
  if (config.classEmbedType !== 'identity') return { classLabels: 0 };
  const [first] = config.blockOutChannels as number[];
  const channels = (config.timeEmbeddingDim as number | null) ?? 4 * (first as number);
  return { classLabels: { data: new Float32Array(channels), shape: [1, channels] } };
}

/** How the 3 x 3 convolutions are done: '31 by F(4,3), 11 by F(2,3), 20 directly; 133 MiB more memory'. */
function convolutions({ plan }: UNet2DModel): string | undefined {
  if (!plan) return undefined;
  const counts = new Map<string, number>();
  for (const name of plan.tilings.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
  const parts = [...counts].map(([name, count]) => `${count} by ${name}`);
  const rest = plan.convolutions - plan.tilings.size;
  if (rest > 0) parts.push(`${rest} directly`);
  return `${parts.join(', ')}; ${(plan.extraBytes / MEBIBYTE).toFixed(0)} MiB more memory`;
}

function sizes({ sampleSize }: UNetConfig): [height: number, width: number] {
  return typeof sampleSize === 'number' ? [sampleSize, sampleSize] : [sampleSize[0], sampleSize[1]];
}

/** The first timestep of 50, or the last one that a table of embeddings has. */
function timestepFor({ timeEmbeddingType, numTrainTimesteps }: UNetConfig, { timesteps }: DDIMScheduler): number {
  const first = timesteps[0] as number;
  return timeEmbeddingType === 'learned' ? Math.min(first, Number(numTrainTimesteps ?? 1000) - 1) : first;
}

/** A description of a model: architecture, weights, scheduler, and what a step costs on this machine. */
export async function info(args: string[]): Promise<string[]> {
  const options = { ...MODEL_OPTIONS, model: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  if (positionals.length > 1) throw new RangeError(`MODEL: expected at most one, got ${positionals.join(' ')}`);
  const model = positionals[0] ?? values.model;
  const pipe = await DDIMPipeline.fromPretrained(model, toPretrained(values));
  try {
    const { unet, scheduler } = pipe;
    if (!(unet instanceof UNet2DModel)) throw new TypeError('unet: expected a UNet2DModel');
    const { config } = unet;
    scheduler.setTimesteps(Math.min(50, scheduler.length));
    const [height, width] = sizes(config);
    const classes = config.classEmbedType ?? (config.numClassEmbeds ? `${config.numClassEmbeds}` : undefined);
    const millions = (unet.numParameters / 1e6).toFixed(2);
    return [
      ...line('model', model ?? 'the embedded one'),
      ...line('images', `${width} x ${height} pixels, ${config.inChannels} channel${config.inChannels > 1 ? 's' : ''}`),
      ...line('unet', `${millions} M parameters, ${(unet.numBytes / MEBIBYTE).toFixed(1)} MiB`),
      ...line('convolutions', convolutions(unet)),
      ...line('channels', config.blockOutChannels),
      ...line('down blocks', config.downBlockTypes),
      ...line('up blocks', config.upBlockTypes),
      ...line('layers a block', config.layersPerBlock),
      ...line('time embedding', config.timeEmbeddingType),
      ...line('classes', classes),
      ...line('activation', config.actFn),
      ...line('scheduler', `DDIM, T = ${scheduler.length}, ${scheduler.config.betaSchedule} betas`),
      ...line('predicts', scheduler.config.predictionType),
      ...(await time(unet, [1, config.inChannels, height, width], timestepFor(config, scheduler))),
    ];
  } finally {
    await pipe.dispose();
  }
}
