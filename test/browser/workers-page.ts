// What the page of workers.test.ts does.
import {
  DDIMPipeline,
  type GenerateOptions,
  Generator,
  type ModelFiles,
  type PretrainedOptions,
  UNet2DModel,
  type UNetOptions,
} from 'ddim-wasm';

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

/** Loads a model, draws and disposes of it. */
async function draw(model: string | null, options: PretrainedOptions, how: Draw) {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (message: string) => warnings.push(message);
  try {
    const pipe = await load(model, options);
    const digest = await hash(pipe, how);
    await pipe.dispose();
    return { workers: (pipe.unet as UNet2DModel).workers, hash: digest, warnings, isolated: crossOriginIsolated };
  } catch (error) {
    return { error: (error as Error).message, warnings };
  } finally {
    console.warn = warn;
  }
}

/** Counts the page's animation frames while `work` goes on. */
async function framesDuring(work: () => Promise<unknown>) {
  let frames = 0;
  const next = () => {
    frames++;
    request = requestAnimationFrame(next);
  };
  let request = requestAnimationFrame(next);
  const start = performance.now();
  await work();
  cancelAnimationFrame(request);
  return { frames, time: performance.now() - start };
}

/** Frames while a model is loaded, draws and is disposed of, and as long again while the page does nothing. */
async function frames(model: string | null, options: PretrainedOptions, how: Draw) {
  const busy = await framesDuring(() => draw(model, options, how));
  const idle = await framesDuring(() => new Promise((resolve) => setTimeout(resolve, busy.time)));
  return { busy: busy.frames, idle: idle.frames };
}

let held: ModelFiles = {};

/** Fetches files of a model, to have them in memory. */
async function hold(folder: string, names: string[], as: 'blob' | 'bytes') {
  const fetched = names.map(async (name) => [name, await (await fetch(`${folder}/${name}`))[as]()]);
  held = Object.fromEntries(await Promise.all(fetched));
}

/** Loads a UNet, or the files that are held, and disposes of it. */
async function loadUNet(model: string | null, options: UNetOptions) {
  const unet = await UNet2DModel.fromPretrained(model ?? held, options);
  await unet.dispose();
  return { parameters: unet.numParameters, workers: unet.workers };
}

let kept: DDIMPipeline | undefined;

/** Loads a model that stays. */
async function open(model: string, workers: number) {
  kept = await load(model, { workers });
}

/**
 * Begins generations and cancels them within 12 ms, at random moments. Every second one has 1,000 steps, far more than there
 * is time for; the others have 2, and may be done before. Returns how many of the long ones were cancelled.
 */
async function cancel(from: number, count: number) {
  let cancelled = 0;
  for (const [i, moment] of new Generator(from).rand([count]).data.entries()) {
    const long = i % 2 === 0;
    const controller = new AbortController();
    setTimeout(() => controller.abort(), moment * 12);
    try {
      const numInferenceSteps = long ? 1000 : 2;
      await kept?.generate({ batchSize: 3, numInferenceSteps, signal: controller.signal });
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
      if (long) cancelled++;
    }
  }
  return cancelled;
}

const again = (how: Draw) => hash(kept as DDIMPipeline, how);
const close = () => kept?.dispose();

Object.assign(globalThis, { draw, frames, hold, loadUNet, open, cancel, again, close });
