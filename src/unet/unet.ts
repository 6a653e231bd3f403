import type * as ort from 'onnxruntime-web';
import { checkInteger, checkOneOf, checkOptions, checkString } from '../check.js';
import { type UNetConfig, unetConfig } from '../config/unet.js';
import { join, MODEL_ADVICE, parseJson, readFile, writeFile } from '../hub/files.js';
import { checkTensor, type Tensor } from '../tensor.js';
import { fromHalf, toHalf } from './half.js';
import { readOnnxFile } from './onnx-file.js';
import { DEVICES, type Device, type ModelFiles, openSession, type Runtime } from './session.js';

/** Options of `UNet2DModel.fromPretrained`. */
export interface UNetOptions {
  /** Folder below the directory, such as 'unet'. */
  subfolder?: string;
  /** Where it runs. Default 'wasm', the only device that gives the same bits on every machine. */
  device?: Device;
}

interface Inputs {
  sample: ort.InferenceSession.TensorValueMetadata;
  timestep: ort.InferenceSession.TensorValueMetadata;
  output: string;
}

const NUMERIC = ['float32', 'float16', 'float64', 'int64', 'int32'];

/** Tells sample from timestep: by diffusers' names, else the one of rank 4 is the sample. */
function identify(path: string, session: ort.InferenceSession): Inputs {
  const inputs = session.inputMetadata.filter((input) => input.isTensor);
  const named = (name: string) => inputs.find((input) => input.name === name);
  const sample = named('sample') ?? inputs.find((input) => input.shape.length === 4);
  const timestep = named('timestep') ?? inputs.find((input) => input !== sample && input.shape.length <= 1);
  const listed = session.inputNames.join(', ');
  if (!sample || !timestep) {
    throw new Error(`${path}: expected the inputs sample (rank 4) and timestep, got ${listed}`);
  }
  if (session.inputNames.length !== 2) {
    throw new Error(`${path}: expected two inputs, sample and timestep, got ${listed}`);
  }
  for (const input of [sample, timestep]) {
    if (!NUMERIC.includes(input.type) || (input === sample && !input.type.startsWith('float'))) {
      throw new Error(`${path}: the input ${input.name} has the type ${input.type}, which is not supported`);
    }
  }
  const output = session.outputNames.includes('out_sample') ? 'out_sample' : (session.outputNames[0] as string);
  return { sample, timestep, output };
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
  readonly #files: ModelFiles;
  #device: Device;
  #runtime: Runtime | undefined;
  #inputs: Inputs;

  private constructor(config: UNetConfig, files: ModelFiles, device: Device, runtime: Runtime) {
    if (!files) throw new TypeError('UNet2DModel: load one with UNet2DModel.fromPretrained');
    this.config = config;
    this.#files = files;
    this.#device = device;
    this.#runtime = runtime;
    this.#inputs = identify(files.path, runtime.session);
  }

  /**
   * Loads `config.json` and `model.onnx` (with the files of its external data) from a directory or URL.
   * @throws {Error} a missing or broken file, by name.
   */
  static async fromPretrained(directoryOrUrl: string, options: UNetOptions = {}): Promise<UNet2DModel> {
    checkString('directory', directoryOrUrl);
    const { subfolder = '', device = 'wasm' } = checkOptions<UNetOptions>('options', options, ['subfolder', 'device']);
    checkString('subfolder', subfolder);
    checkOneOf('device', device, DEVICES);
    const root = join(directoryOrUrl, subfolder);
    const configPath = join(root, 'config.json');
    const configBytes = await readFile(configPath, MODEL_ADVICE);
    const json = parseJson(configPath, configBytes);
    let config: UNetConfig;
    try {
      config = unetConfig(json);
    } catch (cause) {
      throw new Error(`${configPath}: ${(cause as Error).message}`, { cause });
    }
    const path = join(root, 'model.onnx');
    const model = await readFile(path, 'export the UNet to ONNX (inputs sample and timestep, output out_sample)');
    const { externalData: names, parameters } = readOnnxFile(path, model);
    const externalData = new Map<string, Uint8Array>();
    for (const name of names) {
      externalData.set(name, await readFile(join(root, name), `${path} keeps its weights there`));
    }
    const files = { path, config: configBytes, model, externalData, parameters };
    return new UNet2DModel(config, files, device, await openSession(files, device));
  }

  /** Number of weights. */
  get numParameters(): number {
    return this.#files.parameters;
  }

  /** Bytes of the model's files. */
  get numBytes(): number {
    const external = [...this.#files.externalData.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    return this.#files.model.length + external;
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
  async forward(sample: Tensor, timestep: number): Promise<{ sample: Tensor }> {
    checkTensor('sample', sample);
    if (sample.shape.length !== 4 || sample.shape[1] !== this.config.inChannels || sample.data.length === 0) {
      throw new RangeError(
        `sample: expected the shape [N, ${this.config.inChannels}, H, W], got [${sample.shape.join(', ')}]`,
      );
    }
    checkInteger('timestep', timestep, -0x80000000, 0x7fffffff);
    const { Tensor: OrtTensor, session } = this.#open();
    const { sample: sampleInput, timestep: timeInput, output } = this.#inputs;

    const make = (type: string, values: Float32Array, dims: readonly number[]): ort.Tensor => {
      if (type === 'int64')
        return new OrtTensor(
          'int64',
          BigInt64Array.from(values, (v) => BigInt(v)),
          dims,
        );
      if (type === 'int32') return new OrtTensor('int32', Int32Array.from(values), dims);
      if (type === 'float64') return new OrtTensor('float64', Float64Array.from(values), dims);
      if (type === 'float16') return new OrtTensor('float16', toHalf(values), dims);
      return new OrtTensor('float32', values, dims);
    };
    // The timestep is a scalar, one for all, or one for each image.
    const [count] = timeInput.shape;
    const times = count === undefined ? [] : [count === 1 ? 1 : (sample.shape[0] as number)];
    const feeds = {
      [sampleInput.name]: make(sampleInput.type, sample.data, sample.shape),
      [timeInput.name]: make(timeInput.type, new Float32Array(times[0] ?? 1).fill(timestep), times),
    };
    const result = await session.run(feeds).then(
      (outputs) => outputs[output] as ort.Tensor,
      (cause: unknown) => {
        const reason = String((cause as Error)?.message ?? cause).replace(/\s+/g, ' ');
        throw new Error(`${this.#files.path}: failed on a sample of [${sample.shape.join(', ')}] (${reason})`, {
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
    const runtime = await openSession(this.#files, device);
    this.#inputs = identify(this.#files.path, runtime.session);
    this.#runtime = runtime;
    this.#device = device;
    await old.session.release();
    return this;
  }

  /** Copies the model's files into a directory: config.json, model.onnx and its external data, unchanged. */
  async savePretrained(directory: string): Promise<void> {
    checkString('directory', directory);
    await writeFile(join(directory, 'config.json'), this.#files.config);
    await writeFile(join(directory, 'model.onnx'), this.#files.model);
    for (const [name, bytes] of this.#files.externalData) await writeFile(join(directory, name), bytes);
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
