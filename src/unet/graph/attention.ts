import { type Context, divide, type Maps } from './layers.js';
import { groupNorm } from './norm.js';
import type { OnnxGraph } from './onnx.js';

export interface AttentionOptions {
  /** Channels of one head; null: one head of all channels. */
  headDim: number | null;
  /** Groups of the norm; null: no norm. */
  groups: number | null;
  /** The sum is divided by this. */
  factor?: number;
}

/** `Attention` of diffusers/models/attention_processor.py on maps: the projections are 1 x 1 convolutions. */
export function attention(c: Context, path: string, x: Maps, options: AttentionOptions): Maps {
  const { graph, config } = c;
  const { headDim, groups, factor = 1 } = options;
  const size = headDim ?? x.channels;
  const heads = Math.floor(x.channels / size);
  if (heads < 1) {
    throw new RangeError(`attention_head_dim: expected at most ${x.channels}, the channels of ${path}, got ${size}`);
  }
  const normal = groups === null ? x : groupNorm(c, `${path}.group_norm`, x, groups, config.normEps);

  const isMerged = heads === 1 && size === x.channels;
  const flat = isMerged ? merged(c, path, normal) : apart(c, path, normal, heads, size);
  const maps = graph.node(path, 'Reshape', [flat, c.sizes.shape(x)]);
  const sum = graph.node(path, 'Add', [maps, x.name]);
  return { ...x, name: divide(c, path, sum, factor) };
}

/** Queries, keys and values of every head. The result is [N, C, L], L positions. */
function apart(c: Context, path: string, { name, channels }: Maps, heads: number, size: number): string {
  const { graph, parameters } = c;
  const inner = heads * size;
  const project = (to: string): string => {
    const weight = parameters.get(`${path}.${to}.weight`, [inner, channels], [inner, channels, 1, 1]);
    const bias = parameters.get(`${path}.${to}.bias`, [inner]);
    return graph.node(`${path}.${to}`, 'Conv', [name, weight, bias], { kernel_shape: [1, 1] });
  };
  const query = graph.node(path, 'Mul', [project('to_q'), graph.floats([1 / Math.sqrt(size)], [])]);
  const attended = attend(graph, path, [query, project('to_k'), project('to_v')], heads, size);
  const weight = parameters.get(`${path}.to_out.0.weight`, [channels, inner], [channels, inner, 1]);
  const bias = parameters.get(`${path}.to_out.0.bias`, [channels]);
  return graph.node(`${path}.to_out.0`, 'Conv', [attended, weight, bias], { kernel_shape: [1] });
}

/**
 * One head of all channels, with two projections in place of four. At the positions i and j
 *
 *   (Wq x_i + bq) (Wk x_j + bk) = (Wk^T Wq x_i + Wk^T bq) x_j + what is equal for all j, which Softmax removes
 *   Wo sum_j p_ij (Wv x_j + bv) + bo = Wo Wv sum_j p_ij x_j + Wo bv + bo, for the p_ij of an i add up to 1.
 *
 * The products of weights are folded when the model is loaded.
 */
function merged(c: Context, path: string, { name, channels: size }: Maps): string {
  const { graph, parameters } = c;
  const get = (tensor: string, dims: number[]): string =>
    parameters.get(`${path}.${tensor}`, tensor.endsWith('bias') ? [size] : [size, size], dims);
  const weight = (of: string) => get(`${of}.weight`, [size, size]);
  const bias = (of: string) => get(`${of}.bias`, [size, 1]);
  const product = (a: string, b: string) => graph.node(path, 'MatMul', [a, b]);
  const shaped = (value: string, dims: number[]) => graph.node(path, 'Reshape', [value, graph.ints(dims)]);

  bias('to_k'); // counted; it has no effect
  const transposed = graph.node(path, 'Transpose', [weight('to_k')], { perm: [1, 0] });
  const key = graph.node(path, 'Mul', [transposed, graph.floats([1 / Math.sqrt(size)], [])]);
  const queries = shaped(product(key, weight('to_q')), [size, size, 1, 1]);
  const query = graph.node(path, 'Conv', [name, queries, shaped(product(key, bias('to_q')), [size])], {
    kernel_shape: [1, 1],
  });
  const attended = attend(graph, path, [query, name, name], 1, size);
  const out = weight('to_out.0');
  const values = shaped(product(out, weight('to_v')), [size, size, 1]);
  const shift = graph.node(path, 'Add', [product(out, bias('to_v')), bias('to_out.0')]);
  return graph.node(`${path}.to_out.0`, 'Conv', [attended, values, shaped(shift, [size])], { kernel_shape: [1] });
}

/**
 * Queries, keys and values are maps [N, heads x size, H, W]; so is the result, [N, heads x size, L]. Positions stay last:
 * onnxruntime takes the transpositions into the products.
 */
function attend(graph: OnnxGraph, path: string, maps: readonly string[], heads: number, size: number): string {
  const split = (value: string) => graph.node(path, 'Reshape', [value, graph.ints([0, heads, size, -1])]);
  const transpose = (value: string) => graph.node(path, 'Transpose', [value], { perm: [0, 1, 3, 2] });
  const [query, key, value] = maps.map(split) as [string, string, string];
  const scores = graph.node(path, 'MatMul', [transpose(query), key]);
  const probabilities = graph.node(path, 'Softmax', [scores], { axis: -1 });
  const attended = graph.node(path, 'MatMul', [value, transpose(probabilities)]);
  return graph.node(path, 'Reshape', [attended, graph.ints([0, heads * size, -1])]);
}
