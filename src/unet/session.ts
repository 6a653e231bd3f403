import type * as ort from 'onnxruntime-web';
import { platform } from '#platform';
import { isUrl } from '../hub/files.js';

/** Where a model runs. `wasm` is the same on every machine; the others say so where they are documented. */
export type Device = 'wasm' | 'cpu' | 'cuda' | 'dml' | 'coreml';

export const DEVICES: readonly Device[] = ['wasm', 'cpu', 'cuda', 'dml', 'coreml'];
const NATIVE: ReadonlySet<Device> = new Set(['cpu', 'cuda', 'dml', 'coreml']);

/** A model's files: its configuration, its graph and what the graph's external data lie in. */
export interface ModelFiles {
  /** Where model.onnx came from. */
  readonly path: string;
  readonly config: Uint8Array;
  readonly model: Uint8Array;
  readonly externalData: ReadonlyMap<string, Uint8Array>;
  readonly parameters: number;
}

export interface Runtime {
  readonly Tensor: typeof ort.Tensor;
  readonly session: ort.InferenceSession;
}

/** Opens a session: one thread, so that the order of every sum, and with it every bit, is fixed. */
export async function openSession(files: ModelFiles, device: Device): Promise<Runtime> {
  const native = NATIVE.has(device);
  if (native && isUrl(files.path)) {
    throw new RangeError(`device: '${device}' needs a model in a directory, got ${files.path}; save it there first`);
  }
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
  // onnxruntime-node finds external data beside the file; onnxruntime-web is given it.
  const externalData = [...files.externalData].map(([path, data]) => ({ path, data }));
  try {
    const session = native
      ? await InferenceSession.create(files.path, options)
      : await InferenceSession.create(files.model, { ...options, externalData });
    return { Tensor, session };
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ');
    const parts = [files.path, ...files.externalData.keys()].join(' with ');
    throw new Error(`${parts}: onnxruntime could not load it on '${device}'; fetch or export it again (${reason})`, {
      cause,
    });
  }
}
