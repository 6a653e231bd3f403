import { checkInteger, checkOptions } from '../check.js';
import type { Device } from './device.js';
import type { Planning } from './graph/plan.js';

/** Whether convolutions are done with fewer multiplications, and how many bytes of weights that may add in memory. */
export type Winograd = boolean | { maxExtraBytes?: number };

const DEFAULT_CAP = 512 * 2 ** 20;

/** @throws {TypeError|RangeError} something else. */
export function checkWinograd(winograd: unknown): asserts winograd is Winograd | undefined {
  if (winograd === undefined || typeof winograd === 'boolean') return;
  const { maxExtraBytes } = checkOptions<{ maxExtraBytes?: number }>('winograd', winograd, ['maxExtraBytes']);
  if (maxExtraBytes !== undefined) checkInteger('winograd.maxExtraBytes', maxExtraBytes, 0, Number.MAX_SAFE_INTEGER);
}

/** What is planned for; null for direct convolutions, and on graphics cards, which have not been measured. */
export function planningOf(winograd: Winograd, device: Device): Planning | null {
  if (winograd === false || (device !== 'wasm' && device !== 'cpu')) return null;
  const { maxExtraBytes = DEFAULT_CAP } = winograd === true ? {} : winograd;
  return { engine: device, maxExtraBytes };
}
