import { platform } from '#platform';

/** Where a model runs. `wasm` is the same on every machine; the others are not. */
export type Device = 'wasm' | 'webgpu' | 'cpu' | 'cuda' | 'dml' | 'coreml';

export const DEVICES: readonly Device[] = ['wasm', 'webgpu', 'cpu', 'cuda', 'dml', 'coreml'];
const NATIVE: ReadonlySet<Device> = new Set(['cpu', 'cuda', 'dml', 'coreml']);

/** Whether onnxruntime-node is needed. */
export const isNative = (device: Device): boolean => NATIVE.has(device);

let warned = false;

/**
 * Where a model that is being loaded will run: the device asked for, or `wasm`, with one warning, on a page without WebGPU.
 * @throws {RangeError} WebGPU where there are no pages.
 */
export async function availableDevice(device: Device): Promise<Device> {
  if (device !== 'webgpu') return device;
  const reason = await platform.webGpuMissing();
  if (reason === undefined) return device;
  if (!warned) console.warn(`device: ${reason}; running on 'wasm'`);
  warned = true;
  return 'wasm';
}

/** @throws {RangeError} a device that is not here. */
export async function checkAvailable(device: Device): Promise<void> {
  if (device !== 'webgpu') return;
  const reason = await platform.webGpuMissing();
  if (reason !== undefined) throw new RangeError(`device: ${reason}; use 'wasm'`);
}
