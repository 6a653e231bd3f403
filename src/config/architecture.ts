import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkString, describe } from '../check.js';
import { type Json, toCamel, toSnake } from './json.js';

export const DOWN_BLOCKS = [
  'DownBlock2D',
  'AttnDownBlock2D',
  'ResnetDownsampleBlock2D',
  'SkipDownBlock2D',
  'AttnSkipDownBlock2D',
] as const;
export const UP_BLOCKS = [
  'UpBlock2D',
  'AttnUpBlock2D',
  'ResnetUpsampleBlock2D',
  'SkipUpBlock2D',
  'AttnSkipUpBlock2D',
] as const;
/** `ACTIVATION_FUNCTIONS` of diffusers/models/activations.py. */
export const ACTIVATIONS = ['silu', 'swish', 'mish', 'gelu', 'relu'] as const;

export type DownBlock = (typeof DOWN_BLOCKS)[number];
export type UpBlock = (typeof UP_BLOCKS)[number];
export type Activation = (typeof ACTIVATIONS)[number];

/** The arguments of diffusers' `UNet2DModel`, 0.26.3's and the newest release's, with its defaults. */
export interface UNetArchitecture {
  sampleSize: number | readonly [number, number] | null;
  inChannels: number;
  outChannels: number;
  centerInputSample: boolean;
  timeEmbeddingType: 'positional' | 'fourier' | 'learned';
  timeEmbeddingDim: number | null;
  freqShift: number;
  flipSinToCos: boolean;
  downBlockTypes: readonly DownBlock[];
  midBlockType: 'UNetMidBlock2D' | null;
  upBlockTypes: readonly UpBlock[];
  blockOutChannels: readonly number[];
  layersPerBlock: number;
  midBlockScaleFactor: number;
  downsamplePadding: number;
  downsampleType: 'conv' | 'resnet';
  upsampleType: 'conv' | 'resnet';
  /** Has no effect on a trained model. */
  dropout: number;
  actFn: Activation;
  attentionHeadDim: number | null;
  normNumGroups: number | null;
  attnNormNumGroups: number | null;
  normEps: number;
  resnetTimeScaleShift: 'default' | 'scale_shift';
  addAttention: boolean;
  classEmbedType: 'timestep' | 'identity' | null;
  numClassEmbeds: number | null;
  numTrainTimesteps: number | null;
}

/** Height and width of the images that a model was made for; null where it does not say. */
export function sampleArea({ sampleSize }: Pick<UNetArchitecture, 'sampleSize'>): readonly [number, number] | null {
  return typeof sampleSize === 'number' ? [sampleSize, sampleSize] : sampleSize;
}

type Field<T> = { default: T; check: (name: string, value: unknown) => T };

const MAX_CHANNELS = 65536;
const count = (value: number): Field<number> => ({
  default: value,
  check: (n, v) => checkInteger(n, v, 1, MAX_CHANNELS),
});
const boolean = (value: boolean): Field<boolean> => ({ default: value, check: checkBoolean });
const oneOf = <T extends string>(...choices: [T, ...T[]]): Field<T> => ({
  default: choices[0],
  check: (n, v) => checkOneOf(n, v, choices),
});
/** For null diffusers takes the first one too (`downsample_type or "conv"` in `get_down_block`). */
const oneOfOrNull = <T extends string>(...choices: [T, ...T[]]): Field<T> => {
  const field = oneOf(...choices);
  return { ...field, check: (n, v) => field.check(n, v ?? field.default) };
};
const orNull = <T>(field: Field<T>, value: T | null = null): Field<T | null> => ({
  default: value,
  check: (n, v) => (v === null ? null : field.check(n, v)),
});

/** Most levels, and layers of one: far above any model, so that a hostile configuration costs nothing. */
const MAX_LEVELS = 16;
const MAX_LAYERS = 64;

function list<T>(value: readonly T[], check: (name: string, value: unknown) => T): Field<readonly T[]> {
  return {
    default: value,
    check: (name, v) => {
      if (!Array.isArray(v)) throw new TypeError(`${name}: expected an array, got ${describe(v)}`);
      if (v.length === 0 || v.length > MAX_LEVELS) {
        throw new RangeError(`${name}: expected 1 to ${MAX_LEVELS} levels, got ${describe(v)}`);
      }
      return v.map((item, i) => check(`${name}[${i}]`, item));
    },
  };
}

/** Early releases wrote 'UNetResDownBlock2D' (`get_down_block` of diffusers/models/unets/unet_2d_blocks.py). */
const blockType =
  <T extends string>(choices: readonly T[]) =>
  (name: string, value: unknown): T =>
    checkOneOf(name, checkString(name, value).replace(/^UNetRes/, ''), choices);

function sampleSize(name: string, value: unknown): UNetArchitecture['sampleSize'] {
  if (value === null) return null;
  if (!Array.isArray(value)) return checkInteger(name, value, 1, 65536);
  if (value.length !== 2)
    throw new RangeError(`${name}: expected an integer or [height, width], got ${describe(value)}`);
  return [checkInteger(`${name}[0]`, value[0], 1, 65536), checkInteger(`${name}[1]`, value[1], 1, 65536)];
}

const FIELDS: { [K in keyof UNetArchitecture]: Field<UNetArchitecture[K]> } = {
  sampleSize: { default: null, check: sampleSize },
  inChannels: count(3),
  outChannels: count(3),
  centerInputSample: boolean(false),
  timeEmbeddingType: oneOf('positional', 'fourier', 'learned'),
  timeEmbeddingDim: orNull(count(1)),
  freqShift: { default: 0, check: (n, v) => checkNumber(n, v, -MAX_CHANNELS, MAX_CHANNELS) },
  flipSinToCos: boolean(true),
  downBlockTypes: list<DownBlock>(
    ['DownBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D'],
    blockType(DOWN_BLOCKS),
  ),
  midBlockType: orNull(oneOf('UNetMidBlock2D'), 'UNetMidBlock2D'),
  upBlockTypes: list<UpBlock>(['AttnUpBlock2D', 'AttnUpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'], blockType(UP_BLOCKS)),
  blockOutChannels: list([224, 448, 672, 896], (n, v) => checkInteger(n, v, 1, MAX_CHANNELS)),
  layersPerBlock: { default: 2, check: (n, v) => checkInteger(n, v, 1, MAX_LAYERS) },
  midBlockScaleFactor: { default: 1, check: (n, v) => checkNumber(n, v) },
  downsamplePadding: { default: 1, check: (n, v) => checkInteger(n, v, 0, 64) },
  downsampleType: oneOfOrNull('conv', 'resnet'),
  upsampleType: oneOfOrNull('conv', 'resnet'),
  dropout: { default: 0, check: (n, v) => checkNumber(n, v, 0, 1) },
  actFn: { default: 'silu', check: (n, v) => checkOneOf(n, checkString(n, v).toLowerCase(), ACTIVATIONS) },
  attentionHeadDim: orNull(count(8), 8),
  normNumGroups: orNull(count(32), 32),
  attnNormNumGroups: orNull(count(32)),
  normEps: { default: 1e-5, check: (n, v) => checkNumber(n, v, 0) },
  resnetTimeScaleShift: oneOf('default', 'scale_shift'),
  addAttention: boolean(true),
  classEmbedType: orNull(oneOf('timestep', 'identity')),
  numClassEmbeds: orNull({ default: 1, check: (n, v) => checkInteger(n, v, 1, 2 ** 31 - 1) }),
  numTrainTimesteps: orNull({ default: 1, check: (n, v) => checkInteger(n, v, 1, 2 ** 31 - 1) }),
};

/** What diffusers takes where a config.json says nothing. */
export const UNET_DEFAULTS: Readonly<UNetArchitecture> = Object.fromEntries(
  Object.entries(FIELDS).map(([name, field]) => [name, field.default]),
) as unknown as UNetArchitecture;

/** Names that diffusers has given the class; the second one was that of release 0.0.4. */
const CLASSES = ['UNet2DModel', 'UNetUnconditionalModel'];

/** Settings of the releases of July 2022, as diffusers renamed them (scripts/change_naming_configs_and_checkpoints.py). */
const RENAMED: Readonly<Record<string, string>> = {
  image_size: 'sample_size',
  num_res_blocks: 'layers_per_block',
  block_channels: 'block_out_channels',
  down_blocks: 'down_block_types',
  up_blocks: 'up_block_types',
  downscale_freq_shift: 'freq_shift',
  resnet_num_groups: 'norm_num_groups',
  resnet_act_fn: 'act_fn',
  resnet_eps: 'norm_eps',
  num_head_channels: 'attention_head_dim',
};

/** A config.json with the names of today. Where both are there, the new name counts, as in diffusers. */
export function withNewNames(json: Json): Json {
  const entries = Object.entries(json).flatMap(([key, value]): [string, unknown][] => {
    const renamed = Object.hasOwn(RENAMED, key) ? (RENAMED[key] as string) : key;
    // Convolutions that halve and double: the only kind since.
    if (key === 'resamp_with_conv' && value === true) return [];
    return renamed !== key && Object.hasOwn(json, renamed) ? [] : [[renamed, value]];
  });
  return Object.fromEntries(entries);
}

/**
 * Checks a config.json and fills in diffusers' defaults.
 * @throws {TypeError|RangeError} a field or value that is not supported, by its name.
 */
export function unetArchitecture(json: Json): UNetArchitecture {
  if (json._class_name !== undefined) checkOneOf('_class_name', json._class_name, CLASSES);
  const given = new Map<string, unknown>();
  for (const [key, value] of Object.entries(withNewNames(json))) {
    if (key.startsWith('_')) continue;
    const name = toCamel(key);
    if (!Object.hasOwn(FIELDS, name)) {
      throw new RangeError(`config: expected settings of UNet2DModel that are supported, got ${describe(key)}`);
    }
    given.set(name, FIELDS[name as keyof UNetArchitecture].check(key, value));
  }
  const filled: UNetArchitecture = { ...UNET_DEFAULTS, ...Object.fromEntries(given) };
  const levels = filled.blockOutChannels.length;
  for (const name of ['downBlockTypes', 'upBlockTypes'] as const) {
    if (filled[name].length !== levels) {
      throw new RangeError(
        `${toSnake(name)}: expected ${levels} blocks, as many as block_out_channels, got ${filled[name].length}`,
      );
    }
  }
  if (filled.timeEmbeddingType === 'learned' && filled.numTrainTimesteps === null) {
    throw new RangeError("num_train_timesteps: expected an integer for time_embedding_type 'learned', got null");
  }
  return filled;
}
