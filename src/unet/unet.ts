import { checkInteger, checkOneOf, checkOptions, checkString } from '../check.js';
import { type UNetConfig, unetConfig } from '../config/unet.js';
import { type Folder, sub } from '../hub/folder.js';
import type { ModelFiles } from '../hub/memory.js';
import { HUB_OPTIONS, type HubOptions, openFolder } from '../hub/open.js';
import { checkTensor, type Tensor } from '../tensor.js';
import { type ClassLabels, checkClassLabels } from './class-labels.js';
import { availableDevice, checkAvailable, DEVICES, type Device } from './device.js';
import { fromHalf, toHalf } from './half.js';
import { type ConvolutionPlan, type Model, type ModelSource, readModel, readSource, saveModel } from './model.js';
import type { ElementType, ElementTypes, InputInfo, Runner, Value } from './runner.js';
import { openSession } from './session.js';
import { checkWinograd, maxExtraBytes, type Winograd } from './winograd.js';

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
   * Convolutions with fewer multiplications on the `wasm` device, twice as fast and equal to within a few float32 roundings.
   * Default true, which adds at most 512 MiB of weights in memory; `{ maxExtraBytes }` sets another cap; false switches it
   * off. Other devices have their own ways.
   */
  winograd?: Winograd;
}

/** Options of a forward pass. */
export interface ForwardOptions {
  /** Classes of the images, for a model that has classes. */
  classLabels?: ClassLabels;
}

type FolderOptions = { [K in 'device' | 'variant' | 'winograd']?: UNetOptions[K] | undefined };

interface Inputs {
  sample: InputInfo;
  timestep: InputInfo;
  labels: InputInfo | undefined;
  output: string;
}

const NUMERIC: readonly string[] = ['float32', 'float16', 'float64', 'int64', 'int32'];

/** Tells the inputs apart: by diffusers' names, else the one of rank 4 is the sample. */
function identify(path: string, { inputs, outputs }: Runner): Inputs {
  const named = (name: string) => inputs.find((input) => input.name === name);
  const sample = named('sample') ?? inputs.find((input) => input.shape.length === 4);
  const labels = named('class_labels');
  const timestep =
    named('timestep') ?? inputs.find((input) => input !== sample && input !== labels && input.shape.length <= 1);
  const listed = inputs.map(({ name }) => name).join(', ');
  if (!sample || !timestep) {
    throw new Error(`${path}: expected the inputs sample (rank 4) and timestep, got ${listed}`);
  }
  if (inputs.length !== (labels ? 3 : 2)) {
    throw new Error(`${path}: expected the inputs sample, timestep and perhaps class_labels, got ${listed}`);
  }
  for (const input of labels ? [sample, timestep, labels] : [sample, timestep]) {
    if (!NUMERIC.includes(input.type) || (input === sample && !input.type.startsWith('float'))) {
      throw new Error(`${path}: the input ${input.name} has the type ${input.type}, which is not supported`);
    }
  }
  const output = outputs.includes('out_sample') ? 'out_sample' : (outputs[0] as string);
  return { sample, timestep, labels, output };
}

const MAKE: { [K in ElementType]: (values: ArrayLike<number>) => ElementTypes[K] } = {
  float32: (values) => (values instanceof Float32Array ? values : Float32Array.from(values)),
  float64: (values) => Float64Array.from(values),
  float16: (values) => toHalf(Float32Array.from(values)),
  int64: (values) => BigInt64Array.from(values as number[], BigInt),
  int32: (values) => Int32Array.from(values),
};

/** Numbers in the type that an input asks for. */
function make({ type }: InputInfo, values: ArrayLike<number>, dims: readonly number[]): Value {
  return { type: type as ElementType, data: MAKE[type as ElementType](values), dims };
}

/**
 * `UNet2DModel` of diffusers, run by onnxruntime: predicts the noise (or x0, or v) in a batch of images.
 *
 * @example
 * const unet = await UNet2DModel.fromPretrained('my-model/unet');
 * const { sample } = await unet.forward(new Generator(0).randn([1, 3, 32, 32]), 999);
 */
export class UNet2DModel {
  /** config.json, in camelCase. */
  readonly config: UNetConfig;
  /** Number of weights. */
  readonly numParameters: number;
  /** Bytes of the graph and of the files that its weights lie in. */
  readonly numBytes: number;
  readonly #source: ModelSource;
  readonly #label: string;
  readonly #winograd: Winograd;
  #plan: ConvolutionPlan | undefined;
  #device: Device;
  #runner: Runner | undefined;
  #inputs: Inputs;

  private constructor(
    source: ModelSource,
    config: UNetConfig,
    model: Model,
    device: Device,
    runner: Runner,
    winograd: Winograd,
  ) {
    if (!source) throw new TypeError('UNet2DModel: load one with UNet2DModel.fromPretrained');
    this.config = config;
    this.numParameters = model.parameters;
    this.numBytes = [...model.externalData.values()].reduce((sum, bytes) => sum + bytes.length, model.graph.length);
    this.#source = source;
    this.#label = model.label;
    this.#winograd = winograd;
    this.#plan = model.plan;
    this.#device = device;
    this.#runner = runner;
    this.#inputs = identify(model.label, runner);
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
      ...HUB_OPTIONS,
    ]);
    const { subfolder = '', device = 'wasm', variant, winograd, ...hub } = given;
    checkString('subfolder', subfolder);
    checkOneOf('device', device, DEVICES);
    if (variant !== undefined) checkString('variant', variant);
    checkWinograd(winograd);
    const folder = await openFolder(model, hub);
    return UNet2DModel.fromFolder(subfolder === '' ? folder : sub(folder, subfolder), { device, variant, winograd });
  }

  /**
   * The same, from a folder that is open.
   * @internal
   */
  static async fromFolder(folder: Folder, options: FolderOptions): Promise<UNet2DModel> {
    const { variant, winograd = true } = options;
    const device = await availableDevice(options.device ?? 'wasm');
    const source = await readSource(folder, variant);
    let config: UNetConfig;
    try {
      config = unetConfig(source.json);
    } catch (cause) {
      throw new Error(`${folder.label('config.json')}: ${(cause as Error).message}`, { cause });
    }
    const model = await readModel(source, maxExtraBytes(winograd, device));
    return new UNet2DModel(source, config, model, device, await openSession(model, device), winograd);
  }

  /** How its convolutions are done; undefined for a model.onnx, which is run as it is. */
  get plan(): ConvolutionPlan | undefined {
    return this.#plan;
  }

  /** Where the model runs. */
  get device(): Device {
    return this.#device;
  }

  /**
   * One forward pass.
   * @param sample [N, C, H, W]. @param timestep one timestep for the whole batch.
   * @returns the prediction, [N, C, H, W].
   * @throws {TypeError|RangeError} a wrong argument. @throws {Error} after `dispose`.
   */
  async forward(sample: Tensor, timestep: number, options: ForwardOptions = {}): Promise<{ sample: Tensor }> {
    checkTensor('sample', sample);
    if (sample.shape.length !== 4 || sample.shape[1] !== this.config.inChannels || sample.data.length === 0) {
      throw new RangeError(
        `sample: expected the shape [N, ${this.config.inChannels}, H, W], got [${sample.shape.join(', ')}]`,
      );
    }
    checkInteger('timestep', timestep, -0x80000000, 0x7fffffff);
    const { classLabels } = checkOptions<ForwardOptions>('options', options, ['classLabels']);
    const batch = sample.shape[0] as number;
    const labels = checkClassLabels(this.config, classLabels, batch);
    const runner = this.#open();
    const { sample: sampleInput, timestep: timeInput, labels: labelInput, output } = this.#inputs;
    // The timestep is a scalar, one for all, or one for each image.
    const [count] = timeInput.shape;
    const times = count === undefined ? [] : [count === 1 ? 1 : batch];
    const feeds = {
      [sampleInput.name]: make(sampleInput, sample.data, sample.shape),
      [timeInput.name]: make(timeInput, new Array(times[0] ?? 1).fill(timestep), times),
    };
    if (labelInput && labels) {
      const { data, shape } = Array.isArray(labels) ? { data: labels, shape: [batch] } : labels;
      feeds[labelInput.name] = make(labelInput, data, shape);
    }
    // A batch of a fixed size cannot be split.
    const images = typeof sampleInput.shape[0] === 'number' ? 1 : batch;
    try {
      const { type, data, dims } = await runner.run({ feeds, output, images });
      return { sample: { data: toFloats(type, data), shape: dims } };
    } catch (cause) {
      const reason = String((cause as Error)?.message ?? cause).replace(/\s+/g, ' ');
      throw new Error(`${this.#label}: failed on a sample of [${sample.shape.join(', ')}] (${reason})`, { cause });
    }
  }

  /**
   * Moves the model to another device; the old session is released once the new one stands.
   * @throws {RangeError} a device that is not here, such as 'webgpu' on a page that has none.
   */
  async to(device: Device): Promise<this> {
    checkOneOf('device', device, DEVICES);
    const old = this.#open();
    if (device === this.#device) return this;
    await checkAvailable(device);
    const model = await readModel(this.#source, maxExtraBytes(this.#winograd, device));
    const runner = await openSession(model, device);
    this.#plan = model.plan;
    this.#inputs = identify(this.#label, runner);
    this.#runner = runner;
    this.#device = device;
    await old.release();
    return this;
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
    const { embed, graph, externalData } = await readModel(this.#source);
    if (embed) return embed();
    if (externalData.size === 0) return graph;
    throw new RangeError(`${this.#label}: keeps its weights in other files already; copy it with savePretrained`);
  }

  /** Frees the session. Calling it again does nothing. */
  async dispose(): Promise<void> {
    const runner = this.#runner;
    this.#runner = undefined;
    await runner?.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #open(): Runner {
    if (!this.#runner) throw new Error('UNet2DModel: already disposed; load it again');
    return this.#runner;
  }
}

function toFloats(type: ElementType, data: Value['data']): Float32Array {
  if (type === 'float32') return data as Float32Array;
  return type === 'float16' ? fromHalf(data as Uint16Array) : Float32Array.from(data as Float64Array);
}
