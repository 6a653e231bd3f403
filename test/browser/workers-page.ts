// What the page of workers.test.ts does.
import { DDIMPipeline, type GenerateOptions, Generator, type PretrainedOptions, type UNet2DModel } from 'ddim-wasm';

/** How a picture is drawn: the arguments of `generate` that can be sent to a page. */
export interface Draw extends Pick<GenerateOptions, 'batchSize' | 'eta' | 'numInferenceSteps'> {
  seed: number;
}

async function sha256(parts: readonly BufferSource[]): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', await new Blob(parts as BlobPart[]).arrayBuffer());
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function hash(pipe: DDIMPipeline, { seed, ...options }: Draw): Promise<string> {
  const { images } = await pipe.generate({ ...options, generator: new Generator(seed) });
  return sha256(images.map(({ data }) => data as Uint8Array<ArrayBuffer>));
}

const load = (model: string | null, options: PretrainedOptions) =>
  DDIMPipeline.fromPretrained(model === null ? undefined : new URL(model, location.href).href, options);
const workersOf = (pipe: DDIMPipeline) => (pipe.unet as UNet2DModel).workers;

/** Loads a model and draws, watching how long the page stands still: the longest task of its thread, in ms. */
async function draw(model: string | null, options: PretrainedOptions, how: Draw) {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (message: string) => warnings.push(message);
  const tasks: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) tasks.push(duration);
  });
  observer.observe({ type: 'longtask' });
  const start = performance.now();
  try {
    const pipe = await load(model, options);
    const loaded = performance.now();
    const digest = await hash(pipe, how);
    const drawn = performance.now();
    const workers = workersOf(pipe);
    await pipe.dispose();
    // A task is told of after it has ended.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const times = { loading: loaded - start, drawing: drawn - loaded };
    return { workers, hash: digest, longest: Math.max(0, ...tasks), warnings, isolated: crossOriginIsolated, times };
  } catch (error) {
    return { error: (error as Error).message, warnings };
  } finally {
    observer.disconnect();
    console.warn = warn;
  }
}

let kept: DDIMPipeline | undefined;

/** Loads a model that stays. */
async function open(model: string, workers: number) {
  kept = await load(model, { workers });
}

/** Begins generations and cancels them at random moments; returns how many were cancelled. */
async function cancel(from: number, count: number, limit: number) {
  const moments = new Generator(from).rand([count]).data;
  let cancelled = 0;
  for (const moment of moments) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), moment * limit);
    try {
      await kept?.generate({ batchSize: 3, numInferenceSteps: 20, signal: controller.signal });
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
      cancelled++;
    }
  }
  return cancelled;
}

const again = (how: Draw) => hash(kept as DDIMPipeline, how);
const close = () => kept?.dispose();

Object.assign(globalThis, { draw, open, cancel, again, close });
