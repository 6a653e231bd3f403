import { checkInteger, checkOptions } from '../check.js';
import type { Device } from './device.js';

/** Whether convolutions are done with fewer multiplications, and how many bytes of weights that may add in memory. */
export type Winograd = boolean | { maxExtraBytes?: number };

const DEFAULT_CAP = 512 * 2 ** 20;

/** @throws {TypeError|RangeError} something else. */
export function checkWinograd(winograd: unknown): asserts winograd is Winograd | undefined {
  if (winograd === undefined || typeof winograd === 'boolean') return;
  const { maxExtraBytes } = checkOptions<{ maxExtraBytes?: number }>('winograd', winograd, ['maxExtraBytes']);
  if (maxExtraBytes !== undefined) checkInteger('winograd.maxExtraBytes', maxExtraBytes, 0, Number.MAX_SAFE_INTEGER);
}

/** The cap, or null for direct convolutions: onnxruntime's native kernels gain nothing from it. */
export function maxExtraBytes(winograd: Winograd, device: Device): number | null {
  if (device !== 'wasm' || winograd === false) return null;
  return winograd === true ? DEFAULT_CAP : (winograd.maxExtraBytes ?? DEFAULT_CAP);
}
