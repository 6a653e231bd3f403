// What the page of webgpu.test.ts does.
import { configure, type Device, Generator, UNet2DModel } from 'ddim-wasm';
import { webgpu } from 'ddim-wasm/webgpu';

configure({ webgpu });

/** Runs the site's model on two devices, moving between them. */
async function compare(shape: number[], timesteps: number[]) {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (message: string) => warnings.push(message);
  const model = new URL('model', location.href).href;
  const unet = await UNet2DModel.fromPretrained(model, { device: 'webgpu' });
  const device: Device = unet.device;
  const forward = async () => {
    const results: Float32Array[] = [];
    for (const timestep of timesteps) {
      results.push((await unet.forward(new Generator(timestep).randn(shape), timestep)).sample.data);
    }
    return results;
  };
  const first = await forward();
  await unet.to('wasm');
  const wasm = await forward();
  let error = '';
  let again: Float32Array[] = [];
  try {
    await unet.to('webgpu');
    again = await forward();
  } catch (cause) {
    error = String(cause);
  }
  await unet.dispose();
  // A second model that falls back says nothing more.
  await (await UNet2DModel.fromPretrained(model, { device: 'webgpu' })).dispose();
  console.warn = warn;
  return {
    device,
    warnings,
    error,
    first: first.map((data) => [...data]),
    wasm: wasm.map((data) => [...data]),
    again: again.map((data) => [...data]),
  };
}

Object.assign(globalThis, { compare });
