import { checkBoolean, checkInteger, checkNumber, checkOptions, checkString, describe } from '../check.js';
import type { Json } from '../config/json.js';
import { type DDIMSchedulerConfig, type SchedulerConfig, schedulerConfig, schedulerJson } from '../config/scheduler.js';
import { checkSources, freshGenerator, type Generator, randnTensor } from '../generator.js';
import type { ModelFiles } from '../hub/memory.js';
import type { HubOptions } from '../hub/place.js';
import { checkTensor, sizeOf, type Tensor } from '../tensor.js';
import { betaSchedule } from './schedule.js';
import { ddimCoefficients, ddimStep, mix } from './step.js';
import { spreadTimesteps } from './timesteps.js';

// What reads and writes models is loaded with the first one: a scheduler needs none of it.
const places = () => import('#hub');
const files = () => import('../hub/files.js');

/** Options of `DDIMScheduler.step`. */
export interface StepOptions {
  /** Weight of the noise added in the step, in [0, 1]: 0 is DDIM, 1 is DDPM. Default 0. */
  eta?: number;
  /** Derive the noise anew from the clipped x0, as GLIDE does. Default false. */
  useClippedModelOutput?: boolean;
  /** Where the noise of eta > 0 comes from; a fresh, randomly seeded generator if left out. */
  generator?: Generator | readonly Generator[];
  /** That noise given outright, of the sample's shape. Excludes `generator`. */
  varianceNoise?: Tensor;
  /** `false` returns `[prevSample]`. Default true. */
  returnDict?: boolean;
}

/** What a step gives: x_(t-1) and the x0 predicted on the way. */
export interface DDIMSchedulerOutput {
  prevSample: Tensor;
  predOriginalSample: Tensor;
}

const COMPATIBLES = [
  'DDIMScheduler',
  'DDPMScheduler',
  'DEISMultistepScheduler',
  'DPMSolverMultistepScheduler',
  'DPMSolverSDEScheduler',
  'DPMSolverSinglestepScheduler',
  'EulerAncestralDiscreteScheduler',
  'EulerDiscreteScheduler',
  'HeunDiscreteScheduler',
  'KDPM2AncestralDiscreteScheduler',
  'KDPM2DiscreteScheduler',
  'LMSDiscreteScheduler',
  'PNDMScheduler',
  'UniPCMultistepScheduler',
] as const;

/** Options of `DDIMScheduler.fromPretrained`. */
export interface SchedulerOptions extends HubOptions {
  /** Folder below the model's own, such as 'scheduler'. */
  subfolder?: string;
}

/**
 * Denoising Diffusion Implicit Models (Song, Meng, Ermon 2021, arXiv:2010.02502): `DDIMScheduler` of diffusers 0.26.3,
 * with torch's float32 results.
 *
 * @example
 * const scheduler = new DDIMScheduler({ clipSample: false });
 * scheduler.setTimesteps(50);
 * for (const t of scheduler.timesteps) {
 *   const noise = await predict(sample, t);
 *   sample = scheduler.step(noise, t, sample).prevSample;
 * }
 */
export class DDIMScheduler {
  /** Said outright, since bundlers rename classes. */
  static readonly name = 'DDIMScheduler';

  /** The settings, all of them, frozen. Keys that DDIM does not know stand here as they came. */
  readonly config: SchedulerConfig;
  /** beta_t for t = 0..T-1. */
  readonly betas: Float32Array;
  /** 1 - beta_t. */
  readonly alphas: Float32Array;
  /** The running product of the alphas: alpha_t of the DDIM paper. */
  readonly alphasCumprod: Float32Array;
  /** alphaCumprod of the step before the first: 1, or alphasCumprod[0]. */
  readonly finalAlphaCumprod: number;
  /** Standard deviation of the noise that generation starts from. */
  readonly initNoiseSigma = 1;
  /** Order of the solver. */
  readonly order = 1;
  /** Steps set by `setTimesteps`, null before. */
  numInferenceSteps: number | null = null;
  /** Timesteps, from noise to image; all T of them before `setTimesteps`. */
  timesteps: Int32Array;

  /**
   * @param config any of the settings, in camelCase; the rest take diffusers' defaults.
   * @throws {TypeError|RangeError} a setting of a wrong type or value.
   */
  constructor(config: Partial<DDIMSchedulerConfig> = {}) {
    this.config = schedulerConfig(config, {}, 'refuse');
    const schedule = betaSchedule(this.config);
    this.betas = schedule.betas;
    this.alphas = schedule.alphas;
    this.alphasCumprod = schedule.alphasCumprod;
    this.finalAlphaCumprod = this.config.setAlphaToOne ? 1 : (this.alphasCumprod[0] as number);
    this.timesteps = Int32Array.from({ length: this.config.numTrainTimesteps }, (_, i) => this.length - 1 - i);
  }

  /** Number of training timesteps, T: Python's `len(scheduler)`. */
  get length(): number {
    return this.config.numTrainTimesteps;
  }

  /** Class names of the schedulers whose configurations this one takes. */
  get compatibles(): readonly string[] {
    return COMPATIBLES;
  }

  /**
   * A scheduler from a configuration: one saved by diffusers (snake_case, of any scheduler) or another's `config`.
   * Settings that DDIM does not know are kept, and warned about unless another scheduler of diffusers owns them.
   * @param overrides settings that replace those of the configuration.
   * @example DDIMScheduler.fromConfig(JSON.parse(text), { timestepSpacing: 'trailing' })
   */
  static fromConfig(config: Json | SchedulerConfig, overrides: Partial<DDIMSchedulerConfig> = {}): DDIMScheduler {
    return new DDIMScheduler(schedulerConfig(config, overrides, 'keep') as Partial<DDIMSchedulerConfig>);
  }

  /**
   * Reads `scheduler_config.json` of a repository of the Hub, a directory, a URL or files in memory. On edge runtimes a
   * repository's file is fetched as it is: there is no cache, and `cacheDir`, `forceDownload` and `onProgress` have no effect.
   * @throws {Error} a missing or broken file, by name.
   * @example await DDIMScheduler.fromPretrained('my-model', { subfolder: 'scheduler' })
   */
  static async fromPretrained(model: string | ModelFiles, options: SchedulerOptions = {}): Promise<DDIMScheduler> {
    const [{ HUB_OPTIONS, openFolder }, { join, missing, parseJson }] = await Promise.all([places(), files()]);
    const { subfolder = '', ...hub } = checkOptions<SchedulerOptions>('options', options, [
      'subfolder',
      ...HUB_OPTIONS,
    ]);
    const path = join(checkString('subfolder', subfolder), 'scheduler_config.json');
    const folder = await openFolder(model, hub);
    const label = folder.label(path);
    const bytes = await folder.find(path);
    if (!bytes) throw missing(folder, path);
    const json = parseJson(label, bytes);
    try {
      return DDIMScheduler.fromConfig(json);
    } catch (cause) {
      throw new Error(`${label}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Writes `scheduler_config.json` into a directory, made if need be. */
  async savePretrained(directory: string): Promise<void> {
    checkString('directory', directory);
    const { join, writeFile } = await files();
    await writeFile(join(directory, 'scheduler_config.json'), schedulerJson(this.config));
  }

  /** Returns the sample as it is; other schedulers scale it here. */
  scaleModelInput(sample: Tensor, timestep?: number): Tensor {
    if (timestep !== undefined) this.#checkTimestep('timestep', timestep);
    return checkTensor('sample', sample);
  }

  /**
   * Chooses the timesteps of a generation, spread as `timestepSpacing` says.
   * @param numInferenceSteps in 1..T.
   * @throws {TypeError|RangeError} not an integer in 1..T.
   */
  setTimesteps(numInferenceSteps: number): void {
    checkInteger('numInferenceSteps', numInferenceSteps, 1, this.config.numTrainTimesteps);
    this.timesteps = spreadTimesteps(this.config, numInferenceSteps);
    this.numInferenceSteps = numInferenceSteps;
  }

  /**
   * sigma_t^2 for eta = 1, formula (16) of the paper: diffusers' `_get_variance`.
   * @param prevTimestep the timestep that is stepped to; below 0 for the last step.
   */
  getVariance(timestep: number, prevTimestep: number): number {
    this.#checkTimestep('timestep', timestep);
    checkInteger('prevTimestep', prevTimestep, -Number.MAX_SAFE_INTEGER, this.alphasCumprod.length - 1);
    return this.#coefficients(timestep, prevTimestep, 0).variance;
  }

  /**
   * One step from x_t to x_(t-1), formula (12) of the paper.
   * @param modelOutput what the model predicts for `sample` at `timestep`.
   * @param timestep one of `timesteps`. @param sample x_t, of the same shape.
   * @throws {Error} before `setTimesteps`. @throws {TypeError|RangeError} an argument of a wrong type, value or shape.
   */
  step(
    modelOutput: Tensor,
    timestep: number,
    sample: Tensor,
    options?: StepOptions & { returnDict?: true },
  ): DDIMSchedulerOutput;
  step(modelOutput: Tensor, timestep: number, sample: Tensor, options: StepOptions & { returnDict: false }): [Tensor];
  step(modelOutput: Tensor, timestep: number, sample: Tensor, options?: StepOptions): DDIMSchedulerOutput | [Tensor];
  step(modelOutput: Tensor, timestep: number, sample: Tensor, options?: StepOptions): DDIMSchedulerOutput | [Tensor] {
    if (this.numInferenceSteps === null) {
      throw new Error("numInferenceSteps is null: call 'setTimesteps' after creating the scheduler, before 'step'");
    }
    checkTensor('sample', sample);
    checkTensor('modelOutput', modelOutput, sample);
    this.#checkTimestep('timestep', timestep);
    const given = checkOptions<StepOptions>('options', options, [
      'eta',
      'useClippedModelOutput',
      'generator',
      'varianceNoise',
      'returnDict',
    ]);
    const { eta = 0, useClippedModelOutput = false, returnDict = true } = given;
    checkNumber('eta', eta, 0, 1);
    checkBoolean('useClippedModelOutput', useClippedModelOutput);
    checkBoolean('returnDict', returnDict);
    if (given.varianceNoise !== undefined) checkTensor('varianceNoise', given.varianceNoise, sample);
    if (given.generator !== undefined) checkSources(sample.shape, given.generator);
    const noise = eta > 0 ? this.#varianceNoise(sample, given) : undefined;

    const prevTimestep = timestep - Math.floor(this.config.numTrainTimesteps / this.numInferenceSteps);
    const result = ddimStep(
      this.config,
      this.#coefficients(timestep, prevTimestep, eta),
      modelOutput,
      sample,
      noise,
      useClippedModelOutput,
      returnDict,
    );
    const prevSample = { data: result.prevSample, shape: [...sample.shape] };
    if (!returnDict) return [prevSample];
    return { prevSample, predOriginalSample: { data: result.predOriginalSample, shape: [...sample.shape] } };
  }

  /**
   * Noises clean samples to given timesteps: `sqrt(alphaCumprod) * original + sqrt(1 - alphaCumprod) * noise`.
   * @param timesteps one for each sample of the batch, or a single one for all.
   */
  addNoise(originalSamples: Tensor, noise: Tensor, timesteps: number | ArrayLike<number>): Tensor {
    checkTensor('originalSamples', originalSamples);
    checkTensor('noise', noise, originalSamples);
    return this.#mixEach('timesteps', timesteps, originalSamples, noise, 1);
  }

  /**
   * The target of v-prediction (Salimans and Ho 2022): `sqrt(alphaCumprod) * noise - sqrt(1 - alphaCumprod) * sample`.
   * @param timesteps one for each sample of the batch, or a single one for all.
   */
  getVelocity(sample: Tensor, noise: Tensor, timesteps: number | ArrayLike<number>): Tensor {
    checkTensor('sample', sample);
    checkTensor('noise', noise, sample);
    return this.#mixEach('timesteps', timesteps, noise, sample, -1);
  }

  /** A negative timestep counts from the end, as in Python: 'trailing' ends at -1 where numpy's arange runs one over. */
  #checkTimestep(name: string, timestep: unknown): number {
    const { length } = this.alphasCumprod;
    return checkInteger(name, timestep, -length, length - 1);
  }

  #alphaCumprod(timestep: number): number {
    return this.alphasCumprod.at(timestep) as number;
  }

  #coefficients(timestep: number, prevTimestep: number, eta: number) {
    const alphaPrev = prevTimestep >= 0 ? this.#alphaCumprod(prevTimestep) : this.finalAlphaCumprod;
    return ddimCoefficients(this.#alphaCumprod(timestep), alphaPrev, eta);
  }

  #varianceNoise(sample: Tensor, { generator, varianceNoise }: StepOptions): Float32Array {
    if (varianceNoise !== undefined) {
      if (generator !== undefined) {
        throw new RangeError('varianceNoise: expected only one of varianceNoise and generator, got both');
      }
      return varianceNoise.data;
    }
    return randnTensor(sample.shape, generator ?? freshGenerator()).data;
  }

  /** `sqrt(a_t) * x + sign * sqrt(1 - a_t) * y`, each sample of the batch with its own t. */
  #mixEach(name: string, timesteps: number | ArrayLike<number>, x: Tensor, y: Tensor, sign: 1 | -1): Tensor {
    const batch = x.shape[0] ?? 1;
    const list = typeof timesteps === 'number' ? [timesteps] : timesteps;
    if (typeof list !== 'object' || list === null || typeof list.length !== 'number') {
      throw new TypeError(`${name}: expected an integer or an array of them, got ${describe(timesteps)}`);
    }
    if (list.length !== batch && list.length !== 1) {
      throw new RangeError(`${name}: expected 1 or ${batch} timesteps, got ${list.length}`);
    }
    const data = new Float32Array(x.data.length);
    const each = batch === 0 ? 0 : sizeOf(x.shape) / batch;
    for (let i = 0; i < batch; i++) {
      const label = list.length === 1 ? name : `${name}[${i}]`;
      const alpha = this.#alphaCumprod(this.#checkTimestep(label, list[list.length === 1 ? 0 : i]));
      const a = Math.fround(Math.sqrt(alpha));
      const b = Math.fround(Math.sqrt(Math.fround(1 - alpha)));
      const image = (values: Float32Array) => values.subarray(i * each, (i + 1) * each);
      mix(image(x.data), image(y.data), image(data), a, sign * b);
    }
    return { data, shape: [...x.shape] };
  }
}
