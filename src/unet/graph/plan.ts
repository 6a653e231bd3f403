import { sampleArea, type UNetArchitecture } from '../../config/architecture.js';
import { DOUBLING_TILINGS, isDoubling, TILINGS, type Tiling } from './cook-toom.js';
import { cost, type Engine, extraBytes, type Size } from './cost.js';

/** A 3 x 3 convolution of stride 1. */
export interface Convolution {
  readonly path: string;
  /** Channels of the map and of the result. */
  readonly channels: number;
  readonly out: number;
  /** How often the map was halved. */
  readonly level: number;
  /** Whether the map is doubled first. */
  readonly doubling: boolean;
}

/** Chooses how a convolution is done: with a tiling, or directly. */
export type Planner = (conv: Convolution) => Tiling | null;

/** What a plan is made for. */
export interface Planning {
  readonly engine: Engine;
  /** Weights in memory that faster convolutions may add. */
  readonly maxExtraBytes: number;
}

/** Which convolutions are done with a tiling. */
export interface Plan {
  readonly tilings: ReadonlyMap<string, Tiling>;
  /** Weights in memory beyond what direct convolutions have. */
  readonly extraBytes: number;
}

interface Way {
  readonly tiling: Tiling | null;
  readonly time: number;
  readonly bytes: number;
}

/** A convolution's ways, and the one that is taken. */
interface Choice {
  readonly ways: readonly Way[];
  way: Way;
}

/**
 * A tiling must promise to be this much faster: the model of the costs is one machine's, and up to a third off. Natively it also
 * breaks a run of direct convolutions, which hand each other maps in blocks.
 */
const GAIN = { wasm: 1.15, cpu: 1.4 } as const;
/** Assumed where the configuration does not tell a size. */
const AREA = [64, 64] as const;

/**
 * The fastest way for each convolution by the model of the costs; while the added weights exceed `maxExtraBytes`, the
 * change that loses the least time for a byte. Nothing but the configuration, the engine and the cap decides, so that a model
 * has one graph; not the batch either, since an image's bits must not depend on the images beside it.
 */
export function makePlan(convs: readonly Convolution[], config: UNetArchitecture, planning: Planning): Plan {
  const { engine, maxExtraBytes } = planning;
  const [rows, columns] = sampleArea(config) ?? AREA;
  const choices = new Map<string, Choice>();
  for (const conv of convs) {
    // What is not done with a doubling comes a second time, on the doubled map.
    if (choices.has(conv.path)) continue;
    const scale = 2 ** conv.level;
    const size = { ...conv, rows: Math.ceil(rows / scale), columns: Math.ceil(columns / scale) };
    const ways = waysOf(conv, size, engine);
    choices.set(conv.path, { ways, way: ways.reduce((best, way) => (way.time < best.time ? way : best)) });
  }
  const all = [...choices.values()];
  const extra = () => all.reduce((sum, { way }) => sum + way.bytes, 0);
  while (extra() > maxExtraBytes) {
    const { choice, way } = leastLoss(all);
    choice.way = way;
  }
  const tilings = [...choices].flatMap(([path, { way }]) => (way.tiling ? [[path, way.tiling] as const] : []));
  return { tilings: new Map(tilings), extraBytes: extra() };
}

/** The change that loses the least time for a byte. There is one as long as anything is added: back to the direct way. */
function leastLoss(choices: readonly Choice[]): { choice: Choice; way: Way } {
  const changes = choices.flatMap((choice) =>
    choice.ways
      .filter((way) => way.bytes < choice.way.bytes)
      .map((way) => ({ choice, way, loss: (way.time - choice.way.time) / (choice.way.bytes - way.bytes) })),
  );
  return changes.reduce((least, change) => (change.loss < least.loss ? change : least));
}

/** Ways to do a convolution, the direct one first. */
function waysOf(conv: Convolution, size: Size, engine: Engine): Way[] {
  const doubled = { ...size, rows: 2 * size.rows, columns: 2 * size.columns };
  const direct = cost(conv.doubling ? doubled : size, null, engine);
  const ways: Way[] = [{ tiling: null, time: direct, bytes: 0 }];
  for (const tiling of conv.doubling ? [...TILINGS, ...DOUBLING_TILINGS] : TILINGS) {
    const time = cost(conv.doubling && !isDoubling(tiling) ? doubled : size, tiling, engine);
    if (time * GAIN[engine] < direct) ways.push({ tiling, time, bytes: extraBytes(conv, tiling) });
  }
  return ways;
}

/** The planner that follows a plan. */
export const follow =
  ({ tilings }: Plan): Planner =>
  ({ path, doubling }) => {
    const tiling = tilings.get(path);
    return tiling && isDoubling(tiling) === doubling ? tiling : null;
  };
