import type { Material } from './model.js';
import type { About, OpenSession } from './open-material.js';
import type { InputInfo, Pass, Runner, Value } from './runner.js';
import { join, split } from './split.js';
import { Thread } from './thread.js';

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
 * What a model is made from, ready for the post. One worker gets the bytes themselves; several share a copy where the
 * platform lets them, else each gets its own.
 */
function pack(material: Material, count: number, owned: boolean): { material: Material; transfer: ArrayBuffer[] } {
  const transfer = new Set<ArrayBuffer>();
  const pass = (bytes: Uint8Array): Uint8Array => {
    if (count > 1) return canShare() ? shared(bytes) : bytes;
    const own = whole(bytes, owned);
    transfer.add(own.buffer as ArrayBuffer);
    return own;
  };
  const files = new Map([...material.files].map(([name, bytes]) => [name, pass(bytes)]));
  const packed = 'graph' in material ? { ...material, files, graph: pass(material.graph) } : { ...material, files };
  return { material: packed, transfer: [...transfer] };
}

/** A model in several workers, each with a session of its own. Images of a batch share no sum: the bits stay the same. */
export class WorkerPool implements Runner {
  readonly inputs: readonly InputInfo[];
  readonly outputs: readonly string[];
  readonly #threads: readonly Thread[];

  private constructor(threads: readonly Thread[], { inputs, outputs }: About) {
    this.#threads = threads;
    // Without one of them no batch is whole.
    for (const thread of threads) thread.onEnd = (error) => void endAll(threads, error);
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /**
   * Opens a model in workers.
   * @param read reads it: nobody keeps what it gives while the workers build.
   * @param owned whether the bytes of the files may be handed over; they are gone then.
   * @throws what `openMaterial` throws there.
   */
  static async open(
    threads: readonly Thread[],
    read: () => Promise<Material>,
    maxExtraBytes: number | null,
    owned: boolean,
  ): Promise<OpenSession> {
    const { material, transfer } = await read().then((files) => pack(files, threads.length, owned));
    const request = { open: material, maxExtraBytes };
    const [about] = await Promise.all(threads.map((thread) => thread.ask<About>(request, transfer)));
    return { runner: new WorkerPool(threads, about as About), about: about as About };
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
