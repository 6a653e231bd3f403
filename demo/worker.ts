// Everything that takes time: loading models, drawing on either device, hashing, PNGs. The page only shows what it is told.
import { configure, DDIMPipeline, Generator, makeImageGrid, type RawImage, type UNet2DModel } from 'ddim-wasm';
import { webgpu } from 'ddim-wasm/webgpu';
import { joinImages, splitImages, toPixels } from './pixels.js';
import type { Answer, Device, Model, Request } from './protocol.js';

configure({ webgpu });

const answer = (message: Answer, transfer: ArrayBuffer[] = []) => postMessage(message, { transfer });

let pipe: DDIMPipeline | undefined;
let model: Model | undefined;
let abort = new AbortController();
/** Number of the last request to load. */
let newest = 0;
/** Loading and drawing, one after the other. */
let queue: Promise<unknown> = Promise.resolve();

async function load({ id, name, source, device, workers }: Extract<Request, { type: 'load' }>): Promise<void> {
  // What nobody waits for any more is loaded only where there is nothing yet.
  const obsolete = () => id < newest && pipe !== undefined;
  if (obsolete()) return;
  try {
    const next = await DDIMPipeline.fromPretrained(source, { device, workers });
    if (obsolete()) return void (await next.dispose());
    await pipe?.dispose();
    pipe = next;
    const { config, numParameters, device: actual } = next.unet as UNet2DModel;
    const size = config.sampleSize as number | [number, number];
    const [height, width] = typeof size === 'number' ? [size, size] : size;
    const { inChannels: channels } = config;
    model = {
      name,
      width,
      height,
      channels,
      parameters: numParameters,
      classes: (config.numClassEmbeds ?? config.classEmbedType ?? null) !== null,
      maxSteps: next.scheduler.length,
      device: actual as Device,
    };
    answer({ type: 'loaded', id, model });
  } catch (error) {
    answer({ type: 'notLoaded', id, message: (error as Error).message });
  }
}

async function draw({ run, seeds, steps, eta }: Extract<Request, { type: 'draw' }>, signal: AbortSignal) {
  if (!pipe || !model || signal.aborted) return;
  const start = performance.now();
  try {
    const { images } = await pipe.generate({
      batchSize: seeds.length,
      // One generator for each picture: it comes out the same in any company.
      generator: seeds.map((seed) => new Generator(seed)),
      numInferenceSteps: steps,
      eta,
      ...(model.classes && { classLabels: 0 }),
      signal,
      onStep(step) {
        const guess = joinImages(step.preview());
        const noisy = toPixels(step.latents);
        const frame = { step: step.step + 1, guess, noisy };
        answer({ type: 'frame', run, frame }, [guess.buffer, noisy.buffer]);
      },
    });
    const pixels = joinImages(images);
    const hashes = await Promise.all(images.map(sha256));
    const milliseconds = performance.now() - start;
    answer({ type: 'done', run, pixels, hashes, milliseconds }, [pixels.buffer]);
  } catch (error) {
    if (!signal.aborted) answer({ type: 'failed', run, message: (error as Error).message });
  }
}

/** In hex; empty where the browser keeps `crypto.subtle` for https. */
async function sha256({ data }: RawImage): Promise<string> {
  if (!globalThis.crypto?.subtle) return '';
  const digest = await crypto.subtle.digest('SHA-256', data as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function png({ pixels, count, scale }: Extract<Request, { type: 'png' }>): void {
  if (!model) return;
  const { width, height, channels } = model;
  const columns = Math.ceil(Math.sqrt(count));
  const images = splitImages(pixels, width, height, channels);
  const sheet = makeImageGrid(images, Math.ceil(count / columns), columns).enlarge(scale);
  const bytes = sheet.toPNG() as Uint8Array<ArrayBuffer>;
  answer({ type: 'png', bytes }, [bytes.buffer]);
}

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  if (data.type === 'png') return png(data);
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  if (data.type === 'load') {
    newest = data.id;
    queue = queue.then(() => load(data));
  }
  if (data.type === 'draw') queue = queue.then(() => draw(data, signal));
});
