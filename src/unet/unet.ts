/// <reference lib="esnext.disposable" preserve="true" />
import { checkInteger, checkOneOf, checkOptions, checkSignal, checkString } from '../check.js';
import { type UNetConfig, unetConfig } from '../config/unet.js';
import { type Folder, sub } from '../hub/folder.js';
import type { ModelFiles } from '../hub/memory.js';
import { HUB_OPTIONS, type HubOptions, openFolder } from '../hub/open.js';
import { checkTensor, type Tensor } from '../tensor.js';
import { type ClassLabels, checkClassLabels } from './class-labels.js';
import { availableDevice, checkAvailable, DEVICES, type Device } from './device.js';
import { toFloats, toValue } from './inputs.js';
import { buildModel, type ConvolutionPlan, type ModelSource, readMaterial, readSource, saveModel } from './model.js';
import { checkWorkers, type OpenModel, openModel, type RunOptions } from './open.js';
import { checkWinograd, type Winograd } from './winograd.js';

/** Options of `UNet2DModel.fromPretrained`. */
export interface UNetOptions extends HubOptions {
  /** Folder below the model's own, such as 'unet'. */
  subfolder?: string;
  /**
   * Where it runs. Default 'wasm', the only device that gives the same bits on every machine. 'webgpu' is for browsers; where
   * a page has none, the console says so and `unet.device` is 'wasm'.
   */
  device?: Device;
  /** Which of several sets of weights: 'fp16' reads diffusion_pytorch_model.fp16.safetensors. */
  variant?: string;
  /**
   * Convolutions with fewer multiplications, equal to within a few float32 roundings: twice as fast on the `wasm` device, and up
   * to 1.5 times, with large models, on `cpu`. Default true, which adds at most 512 MiB of weights in memory;
   * `{ maxExtraBytes }` sets another cap; false switches it off. Other devices have their own ways.
   */
  winograd?: Winograd;
  /**
   * Workers that the images of a batch are spread over, in 0..64; 0 runs them in this thread. Each is a thread with a
   * session, and so with the weights, of its own, and draws whole images: the bits are the same for any number. (A
   * model.onnx from elsewhere is split too; whether its images are independent is its author's affair.) For the `wasm`
   * device only. Default 1 in a web page, so that it never stands still, and 0 elsewhere.
   */
  workers?: number;
}

/** Options of a forward pass. */
export interface ForwardOptions {
  /** Classes of the images, for a model that has classes. */
  classLabels?: ClassLabels;
  /**
   * Stops waiting at once when it aborts; a worker that is at it finishes the pass for nobody. Without workers a pass
   * cannot be interrupted.
   */
  signal?: AbortSignal;
}

type FolderOptions = { [K in 'device' | 'variant' | 'winograd' | 'workers']?: UNetOptions[K] | undefined };

/**
 * `UNet2DModel` of diffusers, run by onnxruntime: predicts the noise (or x0, or v) in a batch of images.
 *
 * @example
 * const unet = await UNet2DModel.fromPretrained('my-model/unet');
 * const { sample } = await unet.forward(new Generator(0).randn([1, 3, 32, 32]), 999);
 */
export class UNet2DModel {
  /** Said outright, since bundlers rename classes. */
  static readonly name = 'UNet2DModel';

  /** config.json, in camelCase. */
  readonly config: UNetConfig;
  /** Number of weights. */
  readonly numParameters: number;
  /** Bytes of the graph and of the files that its weights lie in. */
  readonly numBytes: number;
  readonly #source: ModelSource;
  readonly #options: RunOptions;
  #model: OpenModel;
  readonly #running = new Set<Promise<unknown>>();
  /** Done, well or not, when the moves asked for so far are. */
  #moving: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(source: ModelSource, config: UNetConfig, options: RunOptions, model: OpenModel) {
    if (!source) throw new TypeError('UNet2DModel: load one with UNet2DModel.fromPretrained');
    this.config = config;
    this.numParameters = model.about.parameters;
    this.numBytes = model.about.bytes;
    this.#source = source;
    this.#options = options;
    this.#model = model;
  }

  /**
   * Loads a UNet from a repository of the Hub, a directory, a URL or files in memory: `config.json` and either
   * `model.onnx`, used as it is, or a checkpoint as diffusers saves it (`diffusion_pytorch_model.safetensors`, sharded or
   * not, or `.bin`), from which the graph is built.
   * @throws {Error} a missing or broken file, by name. @throws {RangeError} a setting that is not supported, by name.
   * @example const unet = await UNet2DModel.fromPretrained('google/ddpm-cifar10-32');
   */
  static async fromPretrained(model: string | ModelFiles, options: UNetOptions = {}): Promise<UNet2DModel> {
    const given = checkOptions<UNetOptions>('options', options, [
      'subfolder',
      'device',
      'variant',
      'winograd',
      'workers',
      ...HUB_OPTIONS,
    ]);
    const { subfolder = '', device = 'wasm', variant, winograd, workers, ...hub } = given;
    checkString('subfolder', subfolder);
    checkOneOf('device', device, DEVICES);
    if (variant !== undefined) checkString('variant', variant);
    checkWinograd(winograd);
    checkWorkers(workers, device);
    const folder = await openFolder(model, hub);
    const run = { device, variant, winograd, workers };
    return UNet2DModel.fromFolder(subfolder === '' ? folder : sub(folder, subfolder), run);
  }

  /**
   * The same, from a folder that is open.
   * @internal
   */
  static async fromFolder(folder: Folder, options: FolderOptions): Promise<UNet2DModel> {
    const { variant, winograd = true, workers } = options;
    const device = await availableDevice(options.device ?? 'wasm');
    const source = await readSource(folder, variant);
    let config: UNetConfig;
    try {
      config = unetConfig(source.json);
    } catch (cause) {
      throw new Error(`${folder.label('config.json')}: ${(cause as Error).message}`, { cause });
    }
    const run = { device, winograd, workers };
    return new UNet2DModel(source, config, run, await openModel(source, run));
  }

  /** How its convolutions are done; undefined for a model.onnx, which is run as it is. */
  get plan(): ConvolutionPlan | undefined {
    return this.#model.about.plan;
  }

  /**
   * Each level but the last halves the maps, and doubled again they must be as large as before. A graph made here is not left
   * to find that out: whole tiles make an odd map larger.
   */
  #checkSize([, , height, width]: readonly number[]): void {
    if (!this.plan) return;
    const unit = 2 ** ((this.config.blockOutChannels as number[]).length - 1);
    if ((height as number) % unit === 0 && (width as number) % unit === 0) return;
    throw new RangeError(
      `sample: expected a height and a width that are multiples of ${unit} for this model, got ${height} x ${width}`,
    );
  }

  /** Where the model runs. */
  get device(): Device {
    return this.#model.device;
  }

  /** Workers that it runs in; 0: this thread. */
  get workers(): number {
    return this.#model.workers;
  }

  /**
   * One forward pass.
   * @param sample [N, C, H, W]. @param timestep one timestep for the whole batch.
   * @returns the prediction, [N, C, H, W].
   * @throws {TypeError|RangeError} a wrong argument. @throws {Error} after `dispose`, or when a worker has ended.
   * @throws the signal's reason when it aborts.
   */
  async forward(sample: Tensor, timestep: number, options: ForwardOptions = {}): Promise<{ sample: Tensor }> {
    checkTensor('sample', sample);
    if (sample.shape.length !== 4 || sample.shape[1] !== this.config.inChannels || sample.data.length === 0) {
      throw new RangeError(
        `sample: expected the shape [N, ${this.config.inChannels}, H, W], got [${sample.shape.join(', ')}]`,
      );
    }
    checkInteger('timestep', timestep, -0x80000000, 0x7fffffff);
    this.#checkSize(sample.shape);
    const { classLabels, signal } = checkOptions<ForwardOptions>('options', options, ['classLabels', 'signal']);
    checkSignal('signal', signal)?.throwIfAborted();
    const batch = sample.shape[0] as number;
    const labels = checkClassLabels(this.config, classLabels, batch);
    const { runner, about, inputs } = this.#open();
    const { sample: sampleInput, timestep: timeInput, labels: labelInput, output } = inputs;
    // The timestep is a scalar, one for all, or one for each image.
    const [count] = timeInput.shape;
    const times = count === undefined ? [] : [count === 1 ? 1 : batch];
    const feeds = {
      [sampleInput.name]: toValue(sampleInput, sample.data, sample.shape),
      [timeInput.name]: toValue(timeInput, new Array(times[0] ?? 1).fill(timestep), times),
    };
    if (labelInput && labels) {
      const { data, shape } = Array.isArray(labels) ? { data: labels, shape: [batch] } : labels;
      feeds[labelInput.name] = toValue(labelInput, data, shape);
    }
    // A batch of a fixed size cannot be split.
    const images = typeof sampleInput.shape[0] === 'number' ? 1 : batch;
    const pass = runner.run({ feeds, output, images }, signal);
    this.#running.add(pass);
    try {
      const { type, data, dims } = await pass;
      return { sample: { data: toFloats(type, data), shape: dims } };
    } catch (cause) {
      signal?.throwIfAborted();
      const reason = String((cause as Error)?.message ?? cause).replace(/\s+/g, ' ');
      throw new Error(`${about.label}: failed on a sample of [${sample.shape.join(', ')}] (${reason})`, { cause });
    } finally {
      this.#running.delete(pass);
    }
  }

  /**
   * Moves the model to another device; the old session is released once the new one stands. Workers come back with the
   * `wasm` device. Moves asked for at once are made one after the other: the last one counts.
   * @throws {RangeError} a device that is not here, such as 'webgpu' on a page that has none. @throws {Error} after `dispose`,
   * or when it comes meanwhile.
   */
  async to(device: Device): Promise<this> {
    checkOneOf('device', device, DEVICES);
    this.#open();
    const move = this.#moving.then(() => this.#move(device));
    this.#moving = move.catch(() => {});
    await move;
    return this;
  }

  async #move(device: Device): Promise<void> {
    const old = this.#open();
    if (device === old.device) return;
    await checkAvailable(device);
    const model = await openModel(this.#source, { ...this.#options, device });
    // The old one is released by `dispose` then.
    if (this.#disposed) await model.runner.release();
    this.#open();
    this.#model = model;
    await Promise.allSettled(this.#running);
    await old.runner.release();
  }

  /**
   * Writes the model in diffusers' layout: config.json and its weights as one `diffusion_pytorch_model.safetensors`, or
   * the `model.onnx` that it came as. diffusers reads it, and so does `fromPretrained`.
   */
  async savePretrained(directory: string): Promise<void> {
    checkString('directory', directory);
    await saveModel(this.#source, directory);
  }

  /**
   * The model as one ONNX file of standard operators, weights within, for any ONNX runtime. Inputs: `sample` float32
   * [batch, C, height, width], `timestep` int64 [batch] or [1], and `class_labels` where the model has classes. Output:
   * `out_sample`.
   * @throws {RangeError} more weights than the 2 GiB that one file holds.
   * @example await writeFile('model.onnx', await unet.toOnnx());
   */
  async toOnnx(): Promise<Uint8Array> {
    const { embed, graph, externalData } = await buildModel(await readMaterial(this.#source));
    if (embed) return embed();
    if (externalData.size === 0) return graph;
    throw new RangeError(
      `${this.#model.about.label}: keeps its weights in other files already; copy it with savePretrained`,
    );
  }

  /**
   * Frees the session, or ends the workers; passes that they are at reject. A move that is under way is waited for, with the
   * passes on the device that it leaves. Calling it again does nothing.
   */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await Promise.all([this.#model.runner.release(), this.#moving]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #open(): OpenModel {
    if (this.#disposed) throw new Error('UNet2DModel: already disposed; load it again');
    return this.#model;
  }
}
