// What the page does: bundled by chromium.test.ts, with everything that a page would load.
import { Generator, UNet2DModel, type UNetOptions } from 'ddim-wasm';

async function hash(values: Float32Array): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', values.slice().buffer));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Loads a model of the Hub and runs it once. */
async function run(id: string, options: UNetOptions, shape: number[], seed: number, timestep: number) {
  const files = new Set<string>();
  const unet = await UNet2DModel.fromPretrained(id, { ...options, onProgress: ({ file }) => files.add(file) });
  const { sample } = await unet.forward(new Generator(seed).randn(shape), timestep);
  await unet.dispose();
  return { fetched: [...files].sort(), parameters: unet.numParameters, hash: await hash(sample.data) };
}

Object.assign(globalThis, { run });
