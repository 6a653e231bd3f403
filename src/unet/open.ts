import { workers as available } from '#workers';
import { checkInteger } from '../check.js';
import type { Thread } from '../workers/thread.js';
import type { Device } from './device.js';
import { type Inputs, identify } from './inputs.js';
import { type ModelSource, readMaterial } from './model.js';
import { type OpenSession, openMaterial } from './open-material.js';
import { startThreads, WorkerPool } from './pool.js';
import { prepareSession } from './session.js';
import { planningOf, type Winograd } from './winograd.js';

/** How a model is run. */
export interface RunOptions {
  readonly device: Device;
  readonly winograd: Winograd;
  /** undefined: what the platform takes by itself. */
  readonly workers: number | undefined;
}

/** A model that is ready to run. */
export interface OpenModel extends OpenSession {
  readonly inputs: Inputs;
  readonly device: Device;
  readonly workers: number;
}

const MAX_WORKERS = 64;

/** @throws {TypeError} no number. @throws {RangeError} no integer in 0..64, or workers on a device that has none. */
export function checkWorkers(workers: unknown, device: Device = 'wasm'): asserts workers is number | undefined {
  if (workers === undefined) return;
  const count = checkInteger('workers', workers, 0, MAX_WORKERS);
  if (count > 0 && device !== 'wasm') {
    throw new RangeError(`workers: expected 0 on the device '${device}', which has threads of its own, got ${count}`);
  }
}

let warned = false;

/** Workers as asked for; where they are only the default and cannot be had, none, with a warning. */
async function threadsFor(workers: number | undefined): Promise<Thread[]> {
  try {
    return await startThreads(workers ?? available.byDefault());
  } catch (cause) {
    const reason = `workers: could not be started (${(cause as Error).message})`;
    const advice =
      "its script, ddim-wasm-worker.js, must come from the page's own origin, and the page's policy allow it (worker-src " +
      "'self'); if your bundler does not ship it, run 'npx ddim-wasm assets DIR', see docs/bundlers.md";
    if (workers !== undefined) throw new Error(`${reason}; ${advice}, or use workers: 0`, { cause });
    if (!warned) console.warn(`${reason}, so that the page stands still while it draws; ${advice}`);
    warned = true;
    return [];
  }
}

/** Reads a model and opens it, in this thread or in workers, which build the graph too. */
export async function openModel(source: ModelSource, options: RunOptions): Promise<OpenModel> {
  const { device, winograd } = options;
  const planning = planningOf(winograd, device);
  // It is read while workers start, unless that they do not would be an error: then nothing is fetched in vain.
  let reading = options.workers === undefined ? readMaterial(source) : undefined;
  reading?.catch(() => {});
  // Then nobody keeps it: workers build from it.
  const read = () => {
    const material = reading ?? readMaterial(source);
    reading = undefined;
    return material;
  };
  const threads = device === 'wasm' ? await threadsFor(options.workers) : [];
  if (threads.length === 0) prepareSession(device);
  try {
    const owned = (bytes: Uint8Array) => !source.folder.lends?.(bytes);
    const open =
      threads.length > 0
        ? await WorkerPool.open(threads, read, planning, owned)
        : await openMaterial(await read(), device, planning, owned);
    const { label, unused } = open.about;
    if (unused.length > 0) {
      const shown = unused.slice(0, 4).join(', ');
      console.warn(`${label}: ${unused.length} tensors have no place in a UNet2DModel and are not used: ${shown}`);
    }
    return { ...open, inputs: identify(label, open.runner), device, workers: threads.length };
  } catch (error) {
    for (const thread of threads) await thread.end(error as Error);
    throw error;
  }
}
