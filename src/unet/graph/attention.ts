import { type Context, divide, type Maps, shapeOf } from './layers.js';
import { groupNorm } from './norm.js';

export interface AttentionOptions {
  /** Channels of one head; null: one head of all channels. */
  headDim: number | null;
  /** Groups of the norm; null: no norm. */
  groups: number | null;
  /** The sum is divided by this. */
  factor?: number;
}

/**
 * `Attention` of diffusers/models/attention_processor.py on maps. The projections are 1 x 1 convolutions on [N, C, H, W],
 * so that nothing but one head's queries and values is ever transposed, and onnxruntime fuses that into the products.
 */
export function attention(c: Context, path: string, x: Maps, options: AttentionOptions): Maps {
  const { graph, parameters, config } = c;
  const { headDim, groups, factor = 1 } = options;
  const size = headDim ?? x.channels;
  const heads = Math.floor(x.channels / size);
  if (heads < 1) {
    throw new RangeError(`attention_head_dim: expected at most ${x.channels}, the channels of ${path}, got ${size}`);
  }
  const inner = heads * size;
  const normal = groups === null ? x : groupNorm(c, `${path}.group_norm`, x, groups, config.normEps);

  const project = (name: string): string => {
    const weight = parameters.get(`${path}.${name}.weight`, [inner, x.channels], [inner, x.channels, 1, 1]);
    const bias = parameters.get(`${path}.${name}.bias`, [inner]);
    const maps = graph.node(`${path}.${name}`, 'Conv', [normal.name, weight, bias], { kernel_shape: [1, 1] });
    return graph.node(`${path}.${name}`, 'Reshape', [maps, graph.ints([0, heads, size, -1])]);
  };
  const transpose = (value: string) => graph.node(path, 'Transpose', [value], { perm: [0, 1, 3, 2] });

  // [N, heads, size, L]: positions last, as they lie in a map.
  const query = graph.node(path, 'Mul', [project('to_q'), graph.floats([1 / Math.sqrt(size)], [])]);
  const key = project('to_k');
  const value = project('to_v');
  const scores = graph.node(path, 'MatMul', [transpose(query), key]);
  const probabilities = graph.node(path, 'Softmax', [scores], { axis: -1 });
  const attended = transpose(graph.node(path, 'MatMul', [probabilities, transpose(value)]));
  const flat = graph.node(path, 'Reshape', [attended, graph.ints([0, inner, -1])]);

  const weight = parameters.get(`${path}.to_out.0.weight`, [x.channels, inner], [x.channels, inner, 1]);
  const bias = parameters.get(`${path}.to_out.0.bias`, [x.channels]);
  const projected = graph.node(`${path}.to_out.0`, 'Conv', [flat, weight, bias], { kernel_shape: [1] });
  const maps = graph.node(path, 'Reshape', [projected, shapeOf(c, x)]);
  const sum = graph.node(path, 'Add', [maps, x.name]);
  return { ...x, name: divide(c, path, sum, factor) };
}
