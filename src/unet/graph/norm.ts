import { sampleArea } from '../../config/architecture.js';
import type { Context, Maps } from './layers.js';

/** Scale and shift per channel that follow a normalisation, both [N or 1, C, 1, 1]. */
export interface Affine {
  readonly scale: string;
  readonly shift: string;
}

/**
 * Largest group that onnxruntime's InstanceNormalization takes: it adds a whole group up in one go, and what that rounds
 * away grows with the group. On a 256 x 256 model it cost 9e-5 of the result; sums of rows and then of row sums cost
 * 1.7e-6, as little as torch's, in the same time. On small maps it is the faster one (8% of a forward at 16 x 16).
 */
const MAX_GROUP = 4096;

/**
 * torch.nn.GroupNorm. `then` is an affine map that follows at once; it is merged into the one of the norm.
 */
export function groupNorm(c: Context, path: string, x: Maps, groups: number, eps: number, then?: Affine): Maps {
  const { graph, parameters } = c;
  if (x.channels % groups !== 0) {
    throw new RangeError(
      `norm_num_groups: expected a divisor of ${x.channels}, the channels of ${path}, got ${groups}`,
    );
  }
  const small = (x.channels / groups) * area(c, x) <= MAX_GROUP;
  if (small && !then) return { ...x, name: affine(c, path, x.channels, instanceNorm(c, path, x, groups, eps)) };
  const get = (name: string) => parameters.get(`${path}.${name}`, [x.channels], [x.channels, 1, 1]);
  let { value, scale } = small
    ? { value: instanceNorm(c, path, x, groups, eps), scale: get('weight') }
    : rowNorm(c, path, x, groups, eps);
  let shift = get('bias');
  if (then) {
    scale = graph.node(path, 'Mul', [scale, then.scale]);
    shift = graph.node(path, 'Add', [graph.node(path, 'Mul', [shift, then.scale]), then.shift]);
  }
  const name = graph.node(path, 'Add', [graph.node(path, 'Mul', [value, scale]), shift]);
  return { ...x, name };
}

/**
 * The weights of the norm as one operator: a BatchNormalization by a mean of 0 and a variance of 1. Its bits are those of
 * Mul and Add.
 */
function affine({ graph, parameters }: Context, path: string, channels: number, value: string): string {
  const get = (name: string) => parameters.get(`${path}.${name}`, [channels]);
  const [mean, variance] = [0, 1].map((x) => graph.floats(new Float32Array(channels).fill(x), [channels]));
  const inputs = [value, get('weight'), get('bias'), mean as string, variance as string];
  return graph.node(path, 'BatchNormalization', inputs, { epsilon: { float: 0 } });
}

/** Pixels of a map at the size that the model was made for. */
function area({ config }: Context, { level }: Maps): number {
  const sample = sampleArea(config);
  if (!sample) return Infinity;
  const [height, width] = sample;
  return (height * width) / 4 ** level;
}

/** Each group as one channel of an InstanceNormalization. */
function instanceNorm(c: Context, path: string, x: Maps, groups: number, eps: number): string {
  const { graph, sizes } = c;
  const ones = graph.floats(new Float32Array(groups).fill(1), [groups]);
  const zeros = graph.floats(new Float32Array(groups), [groups]);
  const grouped = graph.node(path, 'Reshape', [x.name, graph.ints([0, groups, -1])]);
  const normal = graph.node(path, 'InstanceNormalization', [grouped, ones, zeros], { epsilon: { float: eps } });
  return graph.node(path, 'Reshape', [normal, sizes.shape(x)]);
}

interface Normalised {
  /** [N, C, H, W], still to be multiplied by `scale`. */
  readonly value: string;
  /** [N, C, 1, 1], the weights of the norm within. */
  readonly scale: string;
}

/** The same from means of rows and then of their means; the division goes into the scale. */
function rowNorm(c: Context, path: string, x: Maps, groups: number, eps: number): Normalised {
  const { graph, parameters, sizes } = c;
  const shape = sizes.shape(x);
  const toGroups = graph.ints([0, groups, -1]);
  const grouped = (value: string) => graph.node(path, 'Reshape', [value, toGroups]);
  const mean = (value: string, axis: number) => graph.node(path, 'ReduceMean', [value], { axes: [axis], keepdims: 1 });

  const centre = mean(grouped(mean(x.name, 3)), 2);
  const distance = graph.node(path, 'Sub', [grouped(x.name), centre]);
  const value = graph.node(path, 'Reshape', [distance, shape]);
  const variance = mean(grouped(mean(graph.node(path, 'Mul', [value, value]), 3)), 2);
  const deviation = graph.node(path, 'Sqrt', [graph.node(path, 'Add', [variance, graph.floats([eps], [])])]);
  const weight = parameters.get(`${path}.weight`, [x.channels], [1, groups, x.channels / groups]);
  const scale = graph.node(path, 'Div', [weight, deviation]);
  return { value, scale: graph.node(path, 'Reshape', [scale, graph.ints([0, -1, 1, 1])]) };
}
