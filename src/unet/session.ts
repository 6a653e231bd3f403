import type * as ort from 'onnxruntime-web';
import { platform } from '#platform';
import type { Model } from './model.js';

/** Where a model runs. `wasm` is the same on every machine; the others say so where they are documented. */
export type Device = 'wasm' | 'cpu' | 'cuda' | 'dml' | 'coreml';

export const DEVICES: readonly Device[] = ['wasm', 'cpu', 'cuda', 'dml', 'coreml'];
const NATIVE: ReadonlySet<Device> = new Set(['cpu', 'cuda', 'dml', 'coreml']);

export interface Runtime {
  readonly Tensor: typeof ort.Tensor;
  readonly session: ort.InferenceSession;
}

/** Opens a session: one thread, so that the order of every sum, and with it every bit, is fixed. */
export async function openSession(model: Model, device: Device): Promise<Runtime> {
  const native = NATIVE.has(device);
  const { InferenceSession, Tensor, env } = native ? await platform.onnxRuntimeNative() : await platform.onnxRuntime();
  if (!native) {
    env.wasm.numThreads = 1;
    env.logLevel = 'error';
  }
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
    return { Tensor, session };
  } catch (cause) {
    if (cause instanceof RangeError) throw cause;
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ');
    const parts = [model.label, ...model.externalData.keys()].join(' with ');
    throw new Error(`${parts}: onnxruntime could not load it on '${device}'; fetch or export it again (${reason})`, {
      cause,
    });
  }
}

/** onnxruntime-node finds external data only beside a file on disk: a graph that was built here takes its weights within. */
function createNative(
  factory: typeof ort.InferenceSession,
  model: Model,
  device: Device,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  if (model.embed) return factory.create(model.embed(), options);
  if (model.path !== undefined) return factory.create(model.path, options);
  throw new RangeError(`device: '${device}' needs a model in a directory, got ${model.label}; save it there first`);
}
