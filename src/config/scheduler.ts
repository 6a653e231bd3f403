import { checkBoolean, checkInteger, checkNumber, checkOneOf, describe } from '../check.js';
import { DIFFUSERS_VERSION, type Json, pythonJson, toCamel, toSnake } from './json.js';

/** Settings of a DDIMScheduler: those of diffusers 0.26.3, in camelCase. */
export interface DDIMSchedulerConfig {
  /** Number of diffusion steps the model was trained on, T. Default 1000. */
  numTrainTimesteps: number;
  /** First beta. Default 0.0001. */
  betaStart: number;
  /** Last beta. Default 0.02. */
  betaEnd: number;
  /** How betas run from first to last. Default 'linear'. */
  betaSchedule: 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';
  /** Betas given outright; the three fields above are then ignored. Default null. */
  trainedBetas: readonly number[] | null;
  /** Clamp the predicted x0. Default true. */
  clipSample: boolean;
  /** The alphaCumprod before the first step is 1, else that of step 0. Default true. */
  setAlphaToOne: boolean;
  /** Added to each timestep with 'leading' spacing. Default 0. */
  stepsOffset: number;
  /** What the model predicts. Default 'epsilon'. */
  predictionType: 'epsilon' | 'sample' | 'v_prediction';
  /** Dynamic thresholding of the predicted x0 (Imagen); goes before clipSample. Default false. */
  thresholding: boolean;
  /** Quantile of |x0| used by dynamic thresholding. Default 0.995. */
  dynamicThresholdingRatio: number;
  /** Clamp the predicted x0 to +-this. Default 1. */
  clipSampleRange: number;
  /** Largest threshold of dynamic thresholding. Default 1. */
  sampleMaxValue: number;
  /** How inference timesteps are spread (Table 2 of arXiv:2305.08891). Default 'leading'. */
  timestepSpacing: 'linspace' | 'leading' | 'trailing';
  /** Rescale the betas to a zero terminal signal-to-noise ratio. Default false. */
  rescaleBetasZeroSnr: boolean;
}

/** A configuration as held by a scheduler: its own settings and, untouched, the keys that it does not know. */
export type SchedulerConfig = Readonly<DDIMSchedulerConfig> & { readonly [key: string]: unknown };

type Field<T> = { default: T; check: (name: string, value: unknown) => T; float?: boolean };

/** Longest schedule: what one buffer of the kernels holds (src/kernels/arena.ts). */
const MAX_TIMESTEPS = 16384;
const number = (value: number, low = -Infinity, high = Infinity): Field<number> => ({
  default: value,
  check: (name, v) => checkNumber(name, v, low, high),
  float: true,
});
const boolean = (value: boolean): Field<boolean> => ({ default: value, check: checkBoolean });
const oneOf = <T extends string>(...choices: [T, ...T[]]): Field<T> => ({
  default: choices[0],
  check: (name, v) => checkOneOf(name, v, choices),
});

function checkBetas(name: string, value: unknown): readonly number[] | null {
  if (value === null) return null;
  const list =
    ArrayBuffer.isView(value) && !(value instanceof DataView)
      ? Array.from(value as unknown as ArrayLike<number>)
      : value;
  if (!Array.isArray(list))
    throw new TypeError(`${name}: expected an array of numbers or null, got ${describe(value)}`);
  if (list.length === 0 || list.length > MAX_TIMESTEPS) {
    throw new RangeError(`${name}: expected 1 to ${MAX_TIMESTEPS} numbers, got ${describe(list)}`);
  }
  return list.map((v, i) => checkNumber(`${name}[${i}]`, v));
}

const FIELDS: { [K in keyof DDIMSchedulerConfig]: Field<DDIMSchedulerConfig[K]> } = {
  numTrainTimesteps: { default: 1000, check: (name, v) => checkInteger(name, v, 1, MAX_TIMESTEPS) },
  betaStart: number(0.0001, 0, Number.MAX_VALUE),
  betaEnd: number(0.02, 0, Number.MAX_VALUE),
  betaSchedule: oneOf('linear', 'scaled_linear', 'squaredcos_cap_v2'),
  trainedBetas: { default: null, check: checkBetas },
  clipSample: boolean(true),
  setAlphaToOne: boolean(true),
  stepsOffset: { default: 0, check: (name, v) => checkInteger(name, v, 0, 0x3fffffff) },
  predictionType: oneOf('epsilon', 'sample', 'v_prediction'),
  thresholding: boolean(false),
  dynamicThresholdingRatio: number(0.995, 0, 1),
  clipSampleRange: number(1, 0),
  sampleMaxValue: number(1),
  timestepSpacing: { ...oneOf('linspace', 'leading', 'trailing'), default: 'leading' },
  rescaleBetasZeroSnr: boolean(false),
};

/**
 * Settings that other schedulers of diffusers 0.26.3 write and DDIM has no use for. They are kept without a warning,
 * as `ConfigMixin.extract_init_dict` does.
 */
const OF_OTHER_SCHEDULERS = new Set(
  (
    'algorithm_type disable_corrector euler_at_final final_sigmas_type interpolation_type lambda_min_clipped ' +
    'lower_order_final predict_x0 sigma_max sigma_min skip_prk_steps solver_order solver_p solver_type timestep_type ' +
    'use_karras_sigmas use_lu_lambdas variance_type mask_token_id masking_schedule clip_denoised rho s_noise ' +
    'sigma_data s scaler original_inference_steps timestep_scaling eta corrector_order predictor_order tau_func ' +
    'correct_steps sampling_eps snr alpha_cum_end alpha_cum_start gamma_cum_end gamma_cum_start num_vec_classes'
  ).split(' '),
);

function entries(config: unknown): [string, unknown][] {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new TypeError(`config: expected an object, got ${describe(config)}`);
  }
  return Object.entries(config).filter(([, value]) => value !== undefined);
}

/** Configurations that `schedulerConfig` made: they need no second look. */
const known = new WeakSet<object>();

/**
 * Checks settings given in camelCase or snake_case and fills in diffusers' defaults. `others` says what becomes of keys
 * that DDIM does not have: an error, or kept (and warned about where no scheduler of diffusers has them).
 */
export function schedulerConfig(given: unknown, overrides: unknown, others: 'refuse' | 'keep'): SchedulerConfig {
  const replaced = entries(overrides);
  if (typeof given === 'object' && given !== null && known.has(given) && replaced.length === 0) {
    return given as SchedulerConfig;
  }
  const defaulted = (given as Json)?._use_default_values;
  const skipped = new Set(Array.isArray(defaulted) ? ['_use_default_values', ...defaulted] : ['_use_default_values']);
  const own: Json = {};
  const kept: Json = {};
  const taken = entries(given).filter(([key]) => !skipped.has(key));
  for (const [key, value] of [...taken, ...replaced]) {
    const name = toCamel(key);
    if (Object.hasOwn(FIELDS, name)) {
      own[name] = FIELDS[name as keyof DDIMSchedulerConfig].check(name, value);
    } else if (others === 'refuse') {
      throw new RangeError(`config: expected the keys ${Object.keys(FIELDS).join(', ')}, got ${describe(key)}`);
    } else {
      kept[key] = value;
    }
  }
  const unexpected = Object.keys(kept).filter((key) => !key.startsWith('_') && !OF_OTHER_SCHEDULERS.has(toSnake(key)));
  if (unexpected.length > 0) {
    console.warn(
      `DDIMScheduler: the config attributes ${unexpected.join(', ')} are not expected. They are kept and have no effect; ` +
        'please verify the scheduler configuration.',
    );
  }
  const filled = Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, own[name] ?? field.default]));
  const config = Object.freeze({ ...filled, ...kept }) as SchedulerConfig;
  known.add(config);
  return config;
}

/** The text of scheduler_config.json. */
export function schedulerJson(config: SchedulerConfig): string {
  const json: Json = {};
  for (const [key, value] of Object.entries(config)) json[Object.hasOwn(FIELDS, key) ? toSnake(key) : key] = value;
  const floats = Object.entries(FIELDS).filter(([key, field]) => field.float || key === 'trainedBetas');
  return pythonJson(
    { ...json, _class_name: 'DDIMScheduler', _diffusers_version: DIFFUSERS_VERSION },
    new Set(floats.map(([key]) => toSnake(key))),
  );
}
