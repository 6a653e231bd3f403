// What can be set, and the part of the address that says it: #seed=7&steps=50&eta=0&batch=9.

export interface Settings {
  readonly seed: number;
  readonly steps: number;
  readonly eta: number;
  readonly batch: number;
}

export const DEFAULTS: Settings = { seed: 1, steps: 50, eta: 0, batch: 9 };
export const MAX_SEED = 2 ** 32 - 1;
export const MAX_BATCH = 25;

const LIMITS: Record<keyof Settings, readonly [number, number]> = {
  seed: [0, MAX_SEED],
  steps: [1, 1000],
  eta: [0, 1],
  batch: [1, MAX_BATCH],
};

/** A setting within its limits; the default for what is no number. */
export function limit(key: keyof Settings, value: number): number {
  const [low, high] = LIMITS[key];
  if (!Number.isFinite(value)) return DEFAULTS[key];
  const rounded = key === 'eta' ? Math.round(value * 100) / 100 : Math.round(value);
  return Math.min(high, Math.max(low, rounded));
}

const KEYS = ['seed', 'steps', 'eta', 'batch'] as const;

export function readHash(hash: string): Settings {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const settings = { ...DEFAULTS };
  for (const key of KEYS) {
    const value = given.get(key);
    if (value !== null && value.trim() !== '') settings[key] = limit(key, Number(value));
  }
  return settings;
}

export const writeHash = (settings: Settings): string => `#${KEYS.map((key) => `${key}=${settings[key]}`).join('&')}`;

/** The seeds of the pictures: one after the other. */
export const seedsOf = ({ seed, batch }: Settings): number[] => Array.from({ length: batch }, (_, i) => seed + i);
