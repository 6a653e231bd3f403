import { parseArgs } from 'node:util';
import type { Device, PretrainedOptions } from '../index.js';

/** What every command takes that reads a model. */
export const MODEL_OPTIONS = {
  variant: { type: 'string' },
  revision: { type: 'string' },
  token: { type: 'string' },
  'cache-dir': { type: 'string' },
  offline: { type: 'boolean', default: false },
} as const;

type ModelValues = { [K in 'variant' | 'revision' | 'token' | 'cache-dir']?: string | undefined } & {
  offline: boolean;
};

/** Those as options of `fromPretrained`. */
export function toPretrained(values: ModelValues): PretrainedOptions {
  const { variant, revision, token, 'cache-dir': cacheDir, offline } = values;
  const given = Object.entries({ variant, revision, token, cacheDir }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given), ...(offline && { localFilesOnly: true }) };
}

/** What `ddim-wasm generate` was asked for. */
export interface GenerateArguments {
  model: string | undefined;
  /** How to read it. */
  pretrained: PretrainedOptions;
  /** One generator for each image of `--seeds`; one for the whole batch of `--seed`; null: a random one. */
  seeds: { list: bigint[] } | { one: bigint } | null;
  steps: number;
  eta: number;
  batch: number;
  clipped: boolean;
  classLabel: number | undefined;
  device: Device;
  workers: number;
  out: string | undefined;
  grid: boolean;
  scale: number;
}

const OPTIONS = {
  ...MODEL_OPTIONS,
  model: { type: 'string' },
  seed: { type: 'string' },
  seeds: { type: 'string' },
  steps: { type: 'string', default: '50' },
  eta: { type: 'string', default: '0' },
  batch: { type: 'string' },
  clipped: { type: 'boolean', default: false },
  'class-label': { type: 'string' },
  device: { type: 'string', default: 'wasm' },
  workers: { type: 'string', default: '0' },
  out: { type: 'string' },
  grid: { type: 'boolean', default: false },
  scale: { type: 'string', default: '1' },
} as const;

function toNumber(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new RangeError(`--${name}: expected a number, got '${text}'`);
  return value;
}

function toCount(name: string, text: string, high: number): number {
  const value = toNumber(name, text);
  if (!Number.isInteger(value) || value < 1 || value > high) {
    throw new RangeError(`--${name}: expected an integer in 1..${high}, got ${text}`);
  }
  return value;
}

function toSeed(name: string, text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new RangeError(`--${name}: expected an integer, got '${text}'`);
  return BigInt(text);
}

function toSeeds(text: string): bigint[] {
  const range = /^(\d+)-(\d+)$/.exec(text);
  if (!range) throw new RangeError(`--seeds: expected a range such as 0-15, got '${text}'`);
  const [low, high] = [BigInt(range[1] as string), BigInt(range[2] as string)];
  if (high < low || high - low >= 65536n) {
    throw new RangeError(`--seeds: expected a rising range of at most 65536 seeds, got '${text}'`);
  }
  return Array.from({ length: Number(high - low) + 1 }, (_, i) => low + BigInt(i));
}

/** Parses the arguments after `generate`. */
export function parseGenerate(args: string[]): GenerateArguments {
  const { values } = parseArgs({ args, options: OPTIONS, strict: true, allowPositionals: false });
  if (values.seed !== undefined && values.seeds !== undefined) {
    throw new RangeError('--seeds: expected only one of --seed and --seeds, got both');
  }
  const seeds =
    values.seeds !== undefined
      ? { list: toSeeds(values.seeds) }
      : values.seed !== undefined
        ? { one: toSeed('seed', values.seed) }
        : null;
  // A list of seeds runs 16 images at a time unless told otherwise; the pictures do not depend on it.
  const fallback = seeds && 'list' in seeds ? '16' : '1';
  return {
    model: values.model,
    pretrained: toPretrained(values),
    seeds,
    steps: toCount('steps', values.steps, 1_000_000),
    eta: toNumber('eta', values.eta),
    batch: toCount('batch', values.batch ?? fallback, 65536),
    clipped: values.clipped,
    classLabel: values['class-label'] === undefined ? undefined : toNumber('class-label', values['class-label']),
    device: values.device as Device,
    workers: toNumber('workers', values.workers),
    out: values.out,
    grid: values.grid,
    scale: toCount('scale', values.scale, 64),
  };
}
