import { platform } from '#platform';
import { PIECE } from '../platform/pieces.js';
import { Thread } from '../workers/thread.js';
import type { Planning } from './graph/plan.js';
import type { Material } from './model.js';
import type { About, OpenSession } from './open-material.js';
import type { ModelRequest } from './request.js';
import type { InputInfo, Pass, Runner, Value } from './runner.js';
import { join, split } from './split.js';

/** Starts workers: all, or none. @throws {Error} one could not be started. */
export async function startThreads(count: number): Promise<Thread[]> {
  const started = await Promise.allSettled(Array.from({ length: count }, () => Thread.start()));
  const threads = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find((result) => result.status === 'rejected');
  if (failed) {
    await endAll(threads, failed.reason);
    throw failed.reason;
  }
  // What fails here fails again, and is told, when a model is opened.
  for (const thread of threads) thread.ask({ prepare: true } satisfies ModelRequest, []).catch(() => {});
  return threads;
}

async function endAll(threads: readonly Thread[], error: Error): Promise<void> {
  await Promise.all(threads.map((thread) => thread.end(error)));
}

/** A page without cross-origin isolation cannot share memory. */
const canShare = (): boolean => typeof SharedArrayBuffer === 'function' && globalThis.crossOriginIsolated !== false;

/** Copies bytes into a buffer of their size, in pieces. */
async function copyInto(buffer: ArrayBuffer | SharedArrayBuffer, bytes: Uint8Array): Promise<Uint8Array> {
  const copy = new Uint8Array(buffer);
  for (let at = 0; at < bytes.length; at += PIECE) {
    copy.set(bytes.subarray(at, at + PIECE), at);
    await platform.turn();
  }
  return copy;
}

/** What a model is made from, ready for the post. */
interface Parcel {
  readonly material: Material;
  readonly transfer: readonly ArrayBuffer[];
}

/** The material with other bytes, each buffer made of the one before. */
async function remake(material: Material, make: (bytes: Uint8Array) => Promise<Uint8Array>): Promise<Material> {
  const files = new Map<string, Uint8Array>();
  for (const [name, bytes] of material.files) files.set(name, await make(bytes));
  return 'graph' in material ? { ...material, files, graph: await make(material.graph) } : { ...material, files };
}

/** A parcel for each worker: several share a copy where the platform lets them, else the last one gets the bytes themselves. */
async function pack(material: Material, count: number, owned: (bytes: Uint8Array) => boolean): Promise<Parcel[]> {
  if (count > 1 && canShare()) {
    const shared = await remake(material, (bytes) => copyInto(new SharedArrayBuffer(bytes.length), bytes));
    return new Array(count).fill({ material: shared, transfer: [] });
  }
  const parcels: Parcel[] = [];
  while (parcels.length < count) {
    const last = parcels.length === count - 1;
    const transfer = new Set<ArrayBuffer>();
    const own = await remake(material, async (bytes) => {
      const whole = bytes.byteLength === bytes.buffer.byteLength;
      const mine = last && whole && owned(bytes) ? bytes : await copyInto(new ArrayBuffer(bytes.length), bytes);
      transfer.add(mine.buffer as ArrayBuffer);
      return mine;
    });
    parcels.push({ material: own, transfer: [...transfer] });
  }
  return parcels;
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
   * @param owned whether bytes may be handed over; they are gone then.
   * @throws what `openMaterial` throws there.
   */
  static async open(
    threads: readonly Thread[],
    read: () => Promise<Material>,
    planning: Planning | null,
    owned: (bytes: Uint8Array) => boolean,
  ): Promise<OpenSession> {
    const parcels = await read().then((material) => pack(material, threads.length, owned));
    const [about] = await Promise.all(
      parcels.map(({ material, transfer }, i) => {
        return (threads[i] as Thread).ask<About>({ open: material, planning } satisfies ModelRequest, transfer);
      }),
    );
    return { runner: new WorkerPool(threads, about as About), about: about as About };
  }

  async run(pass: Pass, signal?: AbortSignal): Promise<Value> {
    const parts = split(pass, Math.min(this.#threads.length, pass.images));
    const free = [...this.#threads].sort((a, b) => a.load - b.load);
    const values = parts.map((run, i) => {
      const buffers = Object.values(run.feeds).map(({ data }) => data.buffer as ArrayBuffer);
      return (free[i] as Thread).ask<Value>({ run } satisfies ModelRequest, buffers, signal);
    });
    return join(await Promise.all(values));
  }

  async release(): Promise<void> {
    await endAll(this.#threads, new Error('UNet2DModel: disposed while it ran'));
  }
}
