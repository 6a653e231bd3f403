/// <reference lib="esnext.disposable" preserve="true" />
import { platform } from '#platform';
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkString,
  describe,
} from './check.js';
import type { Json } from './config/json.js';
import { checkUNetConfig, type UNetConfig } from './config/unet.js';
import { checkGenerators, freshGenerator, type Generator, randnTensor } from './generator.js';
import { join, writeFile } from './hub/files.js';
import { findLayout, type Layout, MODEL_INDEX } from './hub/layout.js';
import type { ModelFiles } from './hub/memory.js';
import { HUB_OPTIONS, type HubOptions, openFolder } from './hub/open.js';
import { channelsLast, denormalize, type RawImage, toRawImages } from './image.js';
import type { ProgressBarConfig, Tick } from './platform/types.js';
import { DDIMScheduler } from './scheduler/scheduler.js';
import { checkTensor, type Tensor } from './tensor.js';
import { type ClassLabels, checkClassLabels } from './unet/class-labels.js';
import { DEVICES, type Device } from './unet/device.js';
import { checkWorkers } from './unet/open.js';
import { type ForwardOptions, UNet2DModel } from './unet/unet.js';
import { checkWinograd, type Winograd } from './unet/winograd.js';

/** Anything that can stand for a UNet: a configuration and a forward pass. */
export interface UNetLike {
  readonly config: UNetConfig;
  forward(sample: Tensor, timestep: number, options?: ForwardOptions): Promise<{ sample: Tensor }>;
  to?(device: Device): Promise<unknown>;
  savePretrained?(directory: string): Promise<void>;
  dispose?(): Promise<void>;
}

/** One step of a generation, as `onStep` and `stream` give it. */
export interface GenerationStep {
  /** 0 for the first. */
  readonly step: number;
  /** Steps in all. */
  readonly numSteps: number;
  /** The timestep that was stepped from. */
  readonly timestep: number;
  /** x_(t-1), [N, C, H, W] in the model's [-1, 1]. A copy is not made: do not write to it. */
  readonly latents: Tensor;
  /** The x0 predicted in this step, of the same shape; computed when asked for. */
  readonly predOriginalSample: Tensor;
  /** That x0 as pictures: a preview. */
  preview(): RawImage[];
}

/** Arguments of a generation: those of diffusers' DDIMPipeline, and ours. */
export interface GenerateOptions {
  /** Images to draw. Default 1. */
  batchSize?: number;
  /** Source of the noise: one, or one for each image. A fresh, randomly seeded one if left out. */
  generator?: Generator | readonly Generator[];
  /** Weight of the noise added in each step, in [0, 1]: 0 is DDIM, 1 is DDPM. Default 0. */
  eta?: number;
  /** Denoising steps, in 1..T. Default 50. */
  numInferenceSteps?: number;
  /** Derive the noise anew from the clipped x0. Default false. */
  useClippedModelOutput?: boolean | null;
  /** 'pil': an array of RawImage; 'np': [N, H, W, C] in [0, 1]; 'pt': [N, C, H, W] in [0, 1]. Default 'pil'. */
  outputType?: OutputType;
  /** `false` returns `[images]`. Default true. */
  returnDict?: boolean;
  /** x_T, [batchSize, C, H, W], in place of noise from the generator. */
  latents?: Tensor;
  /** Classes of the images, for a model that has classes: one for all, or one for each image. */
  classLabels?: ClassLabels;
  /** Called after each step; a promise is awaited. */
  onStep?: (step: GenerationStep) => void | Promise<void>;
  /** Stops the generation: at once where the UNet runs in workers, else between two steps. */
  signal?: AbortSignal;
}

export type OutputType = 'pil' | 'np' | 'pt';
/** The images of an output type. */
export type Images<O extends OutputType> = O extends 'pil' ? RawImage[] : Tensor;

/** Options of `DDIMPipeline.fromPretrained`. */
export interface PretrainedOptions extends HubOptions {
  /** Where the UNet runs. Default 'wasm'. */
  device?: Device;
  /** Faster convolutions on the `wasm` and `cpu` devices; see `UNetOptions`. Default true. */
  winograd?: Winograd;
  /** Workers that the images of a batch are spread over; see `UNetOptions`. Default 1 in a web page, 0 elsewhere. */
  workers?: number;
  /** A scheduler in place of the saved one. */
  scheduler?: { readonly config: object };
  /** A UNet in place of the saved one. */
  unet?: UNetLike;
  /** Which of several sets of weights: 'fp16' reads unet/diffusion_pytorch_model.fp16.safetensors. */
  variant?: string;
}

const OPTIONS = [
  'batchSize',
  'generator',
  'eta',
  'numInferenceSteps',
  'useClippedModelOutput',
  'outputType',
  'returnDict',
  'latents',
  'classLabels',
  'onStep',
  'signal',
] as const;

/**
 * Unconditional image generation: `DDIMPipeline` of diffusers 0.26.3. The same checkpoint, seed and arguments give the
 * same pixels.
 *
 * @example
 * const pipe = await DDIMPipeline.fromPretrained(); // the embedded model
 * const { images } = await pipe.generate({ generator: new Generator(0) });
 * await images[0].save('test.png');
 */
export class DDIMPipeline {
  /** Said outright, since bundlers rename classes. */
  static readonly name = 'DDIMPipeline';

  /** Predicts the noise. */
  readonly unet: UNetLike;
  /** Takes the steps. */
  readonly scheduler: DDIMScheduler;
  #progress: ProgressBarConfig = {};

  /**
   * @param components a UNet and a scheduler; a scheduler of another kind becomes DDIM by its configuration.
   * @throws {TypeError} something else.
   */
  constructor(components: { unet: UNetLike; scheduler: { readonly config: object } }) {
    const { unet, scheduler } = checkOptions<typeof components>('components', components, ['unet', 'scheduler']);
    checkUNet(unet);
    checkScheduler(scheduler);
    this.unet = unet;
    this.scheduler = DDIMScheduler.fromConfig(scheduler.config as Json);
  }

  /**
   * Loads a pipeline: a repository of the Hub, a directory, a URL, or files in memory by their paths. All layouts of
   * diffusers are known: `model_index.json` with `scheduler/` and `unet/`, all files in one folder, a UNet alone (which
   * gets diffusers' default schedule). Without a model: the embedded one, 32 x 32 grey pictures of clothes.
   * @throws {Error} a missing or broken file, by name, with what to do.
   * @example const pipe = await DDIMPipeline.fromPretrained('google/ddpm-cifar10-32');
   */
  static async fromPretrained(model?: string | ModelFiles, options: PretrainedOptions = {}): Promise<DDIMPipeline> {
    const keys = ['device', 'scheduler', 'unet', 'variant', 'winograd', 'workers', ...HUB_OPTIONS];
    const given = checkOptions<PretrainedOptions>('options', options, keys);
    const { device, scheduler: otherScheduler, unet: otherUNet, variant, winograd, workers, ...hub } = given;
    if (device !== undefined) checkOneOf('device', device, DEVICES);
    if (variant !== undefined) checkString('variant', variant);
    checkWinograd(winograd);
    checkWorkers(workers, device);
    if (otherScheduler !== undefined) checkScheduler(otherScheduler);
    if (otherUNet !== undefined) checkUNet(otherUNet);
    const folder = await openFolder(model === undefined ? await platform.embeddedModel() : model, hub);
    const layout = await findLayout(folder);
    const scheduler = otherScheduler ?? toScheduler(layout);
    const unet = otherUNet ?? (await UNet2DModel.fromFolder(layout.unet, { device, variant, winograd, workers }));
    if (unet.config.sampleSize === null) {
      throw new Error(
        `${layout.unet.label('config.json')}: its sample_size is null, so that no picture has a size; add it`,
      );
    }
    return new DDIMPipeline({ unet, scheduler });
  }

  /** The parts: `{ unet, scheduler }`. */
  get components(): { unet: UNetLike; scheduler: DDIMScheduler } {
    return { unet: this.unet, scheduler: this.scheduler };
  }

  /** Settings of the progress bar, which shows on a terminal only. */
  setProgressBarConfig(config: ProgressBarConfig): void {
    const { disable, desc, leave } = checkOptions<ProgressBarConfig>('config', config, ['disable', 'desc', 'leave']);
    if (disable !== undefined) checkBoolean('disable', disable);
    if (desc !== undefined) checkString('desc', desc);
    if (leave !== undefined) checkBoolean('leave', leave);
    this.#progress = { ...this.#progress, ...config };
  }

  /**
   * Draws images: `DDIMPipeline.__call__`.
   * @throws {TypeError|RangeError} a wrong argument. @throws the signal's reason when it aborts.
   * @example
   * const { images } = await pipe.generate({ batchSize: 4, generator: new Generator(7), eta: 1, numInferenceSteps: 100 });
   */
  generate<O extends OutputType = 'pil'>(
    options?: GenerateOptions & { outputType?: O; returnDict?: true },
  ): Promise<{ images: Images<O> }>;
  generate<O extends OutputType = 'pil'>(
    options: GenerateOptions & { outputType?: O; returnDict: false },
  ): Promise<[Images<O>]>;
  generate(options?: GenerateOptions): Promise<{ images: RawImage[] | Tensor } | [RawImage[] | Tensor]>;
  async generate(options: GenerateOptions = {}): Promise<{ images: RawImage[] | Tensor } | [RawImage[] | Tensor]> {
    const run = this.#check(options);
    const { onStep, signal, outputType = 'pil', returnDict = true } = options;
    const tick = this.#progress.disable ? () => {} : await platform.progressBar(run.numInferenceSteps, this.#progress);
    const images = denormalize(await this.#run(run, signal, tick, onStep));
    const output = outputType === 'pt' ? images : outputType === 'np' ? channelsLast(images) : toRawImages(images);
    return returnDict ? { images: output } : [output];
  }

  /**
   * The same, step by step.
   * @example for await (const { step, preview } of pipe.stream({ generator: new Generator(0) })) show(step, preview());
   */
  async *stream(
    options: Omit<GenerateOptions, 'onStep' | 'returnDict' | 'outputType'> = {},
  ): AsyncGenerator<GenerationStep, void> {
    const keys = OPTIONS.filter((key) => !['onStep', 'returnDict', 'outputType'].includes(key));
    const run = this.#check(options, keys);
    yield* this.#steps(run, options.signal);
  }

  /** Moves the UNet to another device; noise and steps stay where they are. */
  async to(device: Device): Promise<this> {
    checkOneOf('device', device, DEVICES);
    if (!this.unet.to) throw new TypeError('unet: expected one that can move (with a method `to`)');
    await this.unet.to(device);
    return this;
  }

  /** Writes the pipeline in diffusers' layout; `fromPretrained` of that directory gives the same pipeline. */
  async savePretrained(directory: string): Promise<void> {
    checkString('directory', directory);
    if (!this.unet.savePretrained) throw new TypeError('unet: expected one that can be saved (with `savePretrained`)');
    await this.unet.savePretrained(join(directory, 'unet'));
    await this.scheduler.savePretrained(join(directory, 'scheduler'));
    await writeFile(join(directory, 'model_index.json'), MODEL_INDEX);
  }

  /** Frees the UNet. */
  async dispose(): Promise<void> {
    await this.unet.dispose?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  /** Checks the arguments and draws what the generation starts from. */
  #check(options: GenerateOptions, keys: readonly string[] = OPTIONS): Run {
    checkOptions('options', options, keys);
    const { batchSize = 1, generator, eta = 0, numInferenceSteps = 50, latents, onStep, signal } = options;
    checkInteger('batchSize', batchSize, 1, 65536);
    checkNumber('eta', eta, 0, 1);
    checkInteger('numInferenceSteps', numInferenceSteps, 1, this.scheduler.length);
    const useClippedModelOutput = options.useClippedModelOutput ?? false;
    checkBoolean('useClippedModelOutput', useClippedModelOutput);
    if (options.outputType !== undefined) checkOneOf('outputType', options.outputType, ['pil', 'np', 'pt']);
    if (options.returnDict !== undefined) checkBoolean('returnDict', options.returnDict);
    const { inChannels, sampleSize } = this.unet.config;
    if ((options.outputType ?? 'pil') === 'pil' && ![1, 3, 4].includes(inChannels)) {
      throw new RangeError(`outputType: expected 'np' or 'pt' for images of ${inChannels} channels, got 'pil'`);
    }
    checkClassLabels(this.unet.config, options.classLabels, batchSize);
    checkFunction('onStep', onStep);
    checkSignal('signal', signal)?.throwIfAborted();
    const sides = typeof sampleSize === 'number' ? [sampleSize, sampleSize] : sampleSize;
    const shape = [batchSize, inChannels, ...sides];
    const from = generator ?? freshGenerator();
    checkGenerators('generator', from, batchSize);
    if (latents !== undefined) checkTensor('latents', latents, { data: new Float32Array(0), shape });
    const start = latents ?? randnTensor(shape, from);
    const forward = options.classLabels === undefined ? {} : { classLabels: options.classLabels };
    return { start, generator: from, eta, numInferenceSteps, useClippedModelOutput, forward };
  }

  async #run(
    run: Run,
    signal: AbortSignal | undefined,
    tick: Tick,
    onStep: GenerateOptions['onStep'],
  ): Promise<Tensor> {
    let latents = run.start;
    let done = 0;
    try {
      for await (const step of this.#steps(run, signal)) {
        latents = step.latents;
        tick(++done);
        await onStep?.(step);
      }
    } finally {
      tick(done, true);
    }
    return latents;
  }

  /** The loop of DDIMPipeline.__call__. */
  async *#steps(run: Run, signal: AbortSignal | undefined): AsyncGenerator<GenerationStep, void> {
    const { unet, scheduler } = this;
    const { eta, generator, useClippedModelOutput, numInferenceSteps } = run;
    const forward = signal ? { ...run.forward, signal } : run.forward;
    scheduler.setTimesteps(numInferenceSteps);
    const { timesteps } = scheduler;
    let latents = run.start;
    for (const [step, timestep] of timesteps.entries()) {
      // The wasm device answers without leaving the thread: let timers, and with them an abort, come through.
      await platform.turn();
      signal?.throwIfAborted();
      const sample = latents;
      const prediction = (await unet.forward(sample, timestep, forward))?.sample;
      signal?.throwIfAborted();
      // Another generation may have set its own steps while this one waited.
      if (scheduler.numInferenceSteps !== numInferenceSteps) scheduler.setTimesteps(numInferenceSteps);
      [latents] = scheduler.step(prediction, timestep, sample, {
        eta,
        useClippedModelOutput,
        generator,
        returnDict: false,
      });
      let original: Tensor | undefined;
      const predict = () => {
        original ??= scheduler.step(prediction, timestep, sample).predOriginalSample;
        return original;
      };
      yield {
        step,
        numSteps: timesteps.length,
        timestep,
        latents,
        get predOriginalSample() {
          return predict();
        },
        preview: () => toRawImages(denormalize(predict())),
      };
    }
  }
}

function checkUNet(unet: UNetLike): void {
  if (typeof unet?.forward !== 'function') {
    throw new TypeError(`unet: expected an object with config and forward, got ${describe(unet)}`);
  }
  checkUNetConfig('unet.config', unet.config);
}

function checkScheduler(scheduler: { readonly config: object }): void {
  if (typeof scheduler !== 'object' || scheduler === null || typeof scheduler.config !== 'object') {
    throw new TypeError(`scheduler: expected a scheduler with a config, got ${describe(scheduler)}`);
  }
}

interface Run {
  start: Tensor;
  generator: Generator | readonly Generator[];
  eta: number;
  numInferenceSteps: number;
  useClippedModelOutput: boolean;
  forward: ForwardOptions;
}

/** The scheduler of a pipeline; a UNet alone gets the schedule that diffusers trains with unless told otherwise. */
export function toScheduler({ scheduler, unet }: Layout): DDIMScheduler {
  if (!scheduler) {
    const why = unet.absent ? ` (${unet.absent})` : '';
    console.warn(
      `${unet.name}: has no scheduler_config.json${why}; taking DDIMScheduler's defaults (1000 linear betas)`,
    );
    return new DDIMScheduler();
  }
  try {
    return DDIMScheduler.fromConfig(scheduler.json);
  } catch (cause) {
    throw new Error(`${scheduler.label}: ${(cause as Error).message}`, { cause });
  }
}
