import type { InputInfo, Pass, Runner, Value } from './runner.js';
import { join, split } from './split.js';
import { type Opening, Thread, type WorkerModel } from './thread.js';

/** Starts workers: all, or none. @throws {Error} one could not be started. */
export async function startThreads(count: number): Promise<Thread[]> {
  const started = await Promise.allSettled(Array.from({ length: count }, () => Thread.start()));
  const threads = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find((result) => result.status === 'rejected');
  if (!failed) return threads;
  await endAll(threads, failed.reason);
  throw failed.reason;
}

async function endAll(threads: readonly Thread[], error: Error): Promise<void> {
  await Promise.all(threads.map((thread) => thread.end(error)));
}

/** Bytes in a buffer of their own, which can be handed over. */
function whole(bytes: Uint8Array, owned: boolean): Uint8Array {
  return owned && bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** A page without cross-origin isolation cannot share memory. */
const canShare = (): boolean => typeof SharedArrayBuffer === 'function' && globalThis.crossOriginIsolated !== false;

/**
 * The messages that take a model to workers. One gets the bytes themselves; several share a copy where the platform lets
 * them, else each gets its own.
 */
function pack({ label, graph, externalData }: WorkerModel, count: number, owned: boolean) {
  const pass =
    count > 1 ? (canShare() ? shared : (bytes: Uint8Array) => bytes) : (bytes: Uint8Array) => whole(bytes, owned);
  const open: WorkerModel = {
    label,
    graph: pass(graph),
    externalData: new Map([...externalData].map(([name, bytes]) => [name, pass(bytes)])),
  };
  const buffers = [open.graph, ...open.externalData.values()].map(({ buffer }) => buffer as ArrayBuffer);
  return { open, transfer: count > 1 ? [] : [...new Set(buffers)] };
}

/** A model in several workers, each with a session of its own. Images of a batch share no sum: the bits stay the same. */
export class WorkerPool implements Runner {
  readonly inputs: readonly InputInfo[];
  readonly outputs: readonly string[];
  readonly #threads: readonly Thread[];

  private constructor(threads: readonly Thread[], { inputs, outputs }: Opening) {
    this.#threads = threads;
    // Without one of them no batch is whole.
    for (const thread of threads) thread.onEnd = (error) => void endAll(threads, error);
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /**
   * Opens a model in workers.
   * @param owned whether its bytes may be handed over; they are gone then.
   * @throws {Error} onnxruntime could not load it.
   */
  static async open(threads: readonly Thread[], model: WorkerModel, owned: boolean): Promise<WorkerPool> {
    const { open, transfer } = pack(model, threads.length, owned);
    const openings = await Promise.all(threads.map((thread) => thread.ask<Opening>({ open }, transfer)));
    return new WorkerPool(threads, openings[0] as Opening);
  }

  async run(pass: Pass, signal?: AbortSignal): Promise<Value> {
    const parts = split(pass, Math.min(this.#threads.length, pass.images));
    const free = [...this.#threads].sort((a, b) => a.load - b.load);
    const values = parts.map((run, i) => {
      const buffers = Object.values(run.feeds).map(({ data }) => data.buffer as ArrayBuffer);
      return (free[i] as Thread).ask<Value>({ run }, buffers, signal);
    });
    return join(await Promise.all(values));
  }

  async release(): Promise<void> {
    await endAll(this.#threads, new Error('UNet2DModel: disposed while it ran'));
  }
}
