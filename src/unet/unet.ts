import type * as ort from 'onnxruntime-web';
import { checkInteger, checkOneOf, checkOptions, checkString } from '../check.js';
import { type UNetConfig, unetConfig } from '../config/unet.js';
import { type Folder, sub } from '../hub/folder.js';
import type { ModelFiles } from '../hub/memory.js';
import { HUB_OPTIONS, type HubOptions, openFolder } from '../hub/open.js';
import { checkTensor, type Tensor } from '../tensor.js';
import { type ClassLabels, checkClassLabels } from './class-labels.js';
import { fromHalf, toHalf } from './half.js';
import { type ConvolutionPlan, type Model, type ModelSource, readModel, readSource, saveModel } from './model.js';
import { DEVICES, type Device, openSession, type Runtime } from './session.js';
import { checkWinograd, maxExtraBytes, type Winograd } from './winograd.js';

/** Options of `UNet2DModel.fromPretrained`. */
export interface UNetOptions extends HubOptions {
  /** Folder below the model's own, such as 'unet'. */
  subfolder?: string;
  /** Where it runs. Default 'wasm', the only device that gives the same bits on every machine. */
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
  sample: ort.InferenceSession.TensorValueMetadata;
  timestep: ort.InferenceSession.TensorValueMetadata;
  labels: ort.InferenceSession.TensorValueMetadata | undefined;
  output: string;
}

const NUMERIC = ['float32', 'float16', 'float64', 'int64', 'int32'];

/** Tells the inputs apart: by diffusers' names, else the one of rank 4 is the sample. */
function identify(path: string, session: ort.InferenceSession): Inputs {
  const inputs = session.inputMetadata.filter((input) => input.isTensor);
  const named = (name: string) => inputs.find((input) => input.name === name);
  const sample = named('sample') ?? inputs.find((input) => input.shape.length === 4);
  const labels = named('class_labels');
  const timestep =
    named('timestep') ?? inputs.find((input) => input !== sample && input !== labels && input.shape.length <= 1);
  const listed = session.inputNames.join(', ');
  if (!sample || !timestep) {
    throw new Error(`${path}: expected the inputs sample (rank 4) and timestep, got ${listed}`);
  }
  if (session.inputNames.length !== (labels ? 3 : 2)) {
    throw new Error(`${path}: expected the inputs sample, timestep and perhaps class_labels, got ${listed}`);
  }
  for (const input of labels ? [sample, timestep, labels] : [sample, timestep]) {
    if (!NUMERIC.includes(input.type) || (input === sample && !input.type.startsWith('float'))) {
      throw new Error(`${path}: the input ${input.name} has the type ${input.type}, which is not supported`);
    }
  }
  const output = session.outputNames.includes('out_sample') ? 'out_sample' : (session.outputNames[0] as string);
  return { sample, timestep, labels, output };
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
  #runtime: Runtime | undefined;
  #inputs: Inputs;

  private constructor(
    source: ModelSource,
    config: UNetConfig,
    model: Model,
    device: Device,
    runtime: Runtime,
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
    this.#runtime = runtime;
    this.#inputs = identify(model.label, runtime.session);
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
    const { device = 'wasm', variant, winograd = true } = options;
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
    const { Tensor: OrtTensor, session } = this.#open();
    const { sample: sampleInput, timestep: timeInput, labels: labelInput, output } = this.#inputs;

    const make = (type: string, values: Float32Array | number[], dims: readonly number[]): ort.Tensor => {
      if (type === 'int64') return new OrtTensor('int64', BigInt64Array.from(values as number[], BigInt), dims);
      if (type === 'int32') return new OrtTensor('int32', Int32Array.from(values), dims);
      if (type === 'float64') return new OrtTensor('float64', Float64Array.from(values), dims);
      const floats = Array.isArray(values) ? Float32Array.from(values) : values;
      if (type === 'float16') return new OrtTensor('float16', toHalf(floats), dims);
      return new OrtTensor('float32', floats, dims);
    };
    // The timestep is a scalar, one for all, or one for each image.
    const [count] = timeInput.shape;
    const times = count === undefined ? [] : [count === 1 ? 1 : batch];
    const feeds: Record<string, ort.Tensor> = {
      [sampleInput.name]: make(sampleInput.type, sample.data, sample.shape),
      [timeInput.name]: make(timeInput.type, new Array(times[0] ?? 1).fill(timestep), times),
    };
    if (labelInput && labels) {
      const { data, shape } = Array.isArray(labels) ? { data: labels, shape: [batch] } : labels;
      feeds[labelInput.name] = make(labelInput.type, data, shape);
    }
    const result = await session.run(feeds).then(
      (outputs) => outputs[output] as ort.Tensor,
      (cause: unknown) => {
        const reason = String((cause as Error)?.message ?? cause).replace(/\s+/g, ' ');
        throw new Error(`${this.#label}: failed on a sample of [${sample.shape.join(', ')}] (${reason})`, {
          cause,
        });
      },
    );
    const raw = result.data as Float32Array | Uint16Array | Float64Array;
    const data =
      result.type === 'float32'
        ? (raw as Float32Array)
        : result.type === 'float16'
          ? halves(raw)
          : Float32Array.from(raw);
    const prediction = { data, shape: [...result.dims] };
    for (const value of Object.values(feeds)) value.dispose();
    return { sample: prediction };
  }

  /** Moves the model to another device; the old session is released once the new one stands. */
  async to(device: Device): Promise<this> {
    checkOneOf('device', device, DEVICES);
    const old = this.#open();
    if (device === this.#device) return this;
    const model = await readModel(this.#source, maxExtraBytes(this.#winograd, device));
    const runtime = await openSession(model, device);
    this.#plan = model.plan;
    this.#inputs = identify(this.#label, runtime.session);
    this.#runtime = runtime;
    this.#device = device;
    await old.session.release();
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
    const runtime = this.#runtime;
    this.#runtime = undefined;
    await runtime?.session.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #open(): Runtime {
    if (!this.#runtime) throw new Error('UNet2DModel: already disposed; load it again');
    return this.#runtime;
  }
}

/** float16 results come as Float16Array where the platform has it, else as bits. */
function halves(raw: ArrayLike<number>): Float32Array {
  return raw instanceof Uint16Array ? fromHalf(raw) : Float32Array.from(raw);
}
