import { checkInteger, describe } from '../check.js';
import { UNET_DEFAULTS, withNewNames } from './architecture.js';
import { type Json, toCamel } from './json.js';

/** Settings of a UNet2DModel that the pipeline reads; every other key of its config.json is kept, in camelCase. */
export interface UNetConfig {
  /** Height and width of the image: one number for a square, else [height, width]. */
  readonly sampleSize: number | readonly [number, number];
  /** Channels of the image. */
  readonly inChannels: number;
  /** Channels of the prediction. */
  readonly outChannels?: number;
  readonly [key: string]: unknown;
}

/** Checks what the pipeline needs of a UNet's configuration. */
export function checkUNetConfig(name: string, config: unknown): UNetConfig {
  if (typeof config !== 'object' || config === null) {
    throw new TypeError(`${name}: expected an object with sampleSize and inChannels, got ${describe(config)}`);
  }
  const { sampleSize, inChannels } = config as UNetConfig;
  checkInteger(`${name}.inChannels`, inChannels, 1, 65536);
  const sides = Array.isArray(sampleSize) ? sampleSize : [sampleSize];
  if (Array.isArray(sampleSize) && sampleSize.length !== 2) {
    throw new RangeError(`${name}.sampleSize: expected an integer or [height, width], got ${describe(sampleSize)}`);
  }
  for (const side of sides) checkInteger(`${name}.sampleSize`, side, 1, 65536);
  return config as UNetConfig;
}

/** A UNet's config.json in camelCase, with diffusers' defaults. Its sample size may be null: the model takes any. */
export function unetConfig(json: Json): UNetConfig {
  const given = Object.fromEntries(Object.entries(withNewNames(json)).map(([key, value]) => [toCamel(key), value]));
  const config = { ...UNET_DEFAULTS, ...given } as UNetConfig;
  if (config.sampleSize === null) checkUNetConfig('config', { ...config, sampleSize: 1 });
  else checkUNetConfig('config', config);
  return Object.freeze(config);
}
