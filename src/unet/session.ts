import type * as ort from 'onnxruntime-web';
import { onnxRuntime, onnxRuntimeAdvice, onnxRuntimeGpu, onnxRuntimeNative, platform } from '#platform';
import { type Device, isNative } from './device.js';
import { discard } from './discard.js';
import type { Model } from './model.js';
import type { ElementType, InputInfo, Pass, Runner, Value } from './runner.js';

/** What a session is made of. */
export type SessionModel = Pick<Model, 'label' | 'graph' | 'externalData' | 'path' | 'embed'>;

/** A session in this thread. */
class SessionRunner implements Runner {
  readonly inputs: readonly InputInfo[];
  readonly outputs: readonly string[];
  readonly #Tensor: typeof ort.Tensor;
  readonly #session: ort.InferenceSession;

  constructor(session: ort.InferenceSession, Tensor: typeof ort.Tensor) {
    this.inputs = session.inputMetadata.map((input) =>
      input.isTensor
        ? { name: input.name, type: input.type, shape: [...input.shape] }
        : { name: input.name, type: 'no tensor', shape: [] },
    );
    this.outputs = session.outputNames;
    this.#Tensor = Tensor;
    this.#session = session;
  }

  async run({ feeds, output }: Pass, signal?: AbortSignal): Promise<Value> {
    signal?.throwIfAborted();
    const tensors = Object.entries(feeds).map(([name, value]) => [name, this.#tensor(value)] as const);
    const result = (await this.#session.run(Object.fromEntries(tensors), [output]))[output] as ort.Tensor;
    for (const [, value] of tensors) value.dispose();
    const data = result.data as Value['data'];
    const { buffer, byteOffset, length } = data;
    // float16 comes as Float16Array where the platform has it.
    const bits = result.type === 'float16' ? new Uint16Array(buffer, byteOffset, length) : data;
    return { type: result.type as ElementType, data: bits, dims: [...result.dims] };
  }

  #tensor({ type, data, dims }: Value): ort.Tensor {
    return new this.#Tensor(type, data as Float32Array, dims);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/**
 * y = x as an ONNX file: a graph of one Identity. onnxruntime compiles its WebAssembly for the first session and has no other
 * call for it.
 */
const SMALLEST = Uint8Array.from(
  atob('CAg6LwoQCgF4EgF5IghJZGVudGl0eRIBZ1oLCgF4EgYKBAgBEgBiCwoBeRIGCgQIARIAQgQKABAR'),
  (byte) => byte.charCodeAt(0),
);

let prepared: Promise<void> | undefined;

/**
 * Begins to load onnxruntime, which then compiles while the model is fetched and its graph is built. What fails here fails
 * again, and is told, when the session is opened.
 */
export function prepareSession(device: Device): void {
  if (device !== 'wasm') return;
  prepared ??= (async () => {
    const { InferenceSession, env } = await runtimeOf(device);
    configure(env);
    const bytes = env.wasm.wasmBinary ? undefined : await platform.onnxRuntimeWasm?.();
    if (bytes) env.wasm.wasmBinary = bytes.buffer as ArrayBuffer;
    try {
      await (await InferenceSession.create(SMALLEST)).release();
    } finally {
      if (bytes) {
        env.wasm.wasmBinary = undefined;
        await discard(bytes);
      }
    }
  })().catch(() => {});
}

function configure(env: ort.Env): void {
  env.wasm.numThreads = 1;
  env.logLevel = 'error';
}

/** Opens a session: one thread, so that the order of every sum, and with it every bit, is fixed. */
export async function openSession(model: SessionModel, device: Device): Promise<Runner> {
  const native = isNative(device);
  const { InferenceSession, Tensor, env } = await runtimeOf(device);
  if (!native) configure(env);
  await prepared;
  const options: ort.InferenceSession.SessionOptions = {
    executionProviders: [device],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  };
  try {
    const session = native
      ? await createNative(InferenceSession, model, device, options)
      : await InferenceSession.create(model.graph, {
          ...options,
          externalData: [...model.externalData].map(([path, data]) => ({ path, data })),
        });
    return new SessionRunner(session, Tensor);
  } catch (cause) {
    if (cause instanceof RangeError) throw cause;
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ');
    if (reason.includes('no available backend')) {
      throw new Error(`onnxruntime could not start (${reason}); ${await onnxRuntimeAdvice()}`, { cause });
    }
    const parts = [model.label, ...model.externalData.keys()].join(' with ');
    throw new Error(`${parts}: onnxruntime could not load it on '${device}'; fetch or export it again (${reason})`, {
      cause,
    });
  }
}

function runtimeOf(device: Device): Promise<typeof ort> {
  if (isNative(device)) return onnxRuntimeNative();
  return device === 'webgpu' ? onnxRuntimeGpu() : onnxRuntime();
}

/** onnxruntime-node finds external data only beside a file on disk: a graph that was built here takes its weights within. */
function createNative(
  factory: typeof ort.InferenceSession,
  model: SessionModel,
  device: Device,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  if (model.embed) return factory.create(model.embed(), options);
  if (model.path !== undefined) return factory.create(model.path, options);
  throw new RangeError(`device: '${device}' needs a model in a directory, got ${model.label}; save it there first`);
}
