import { isDoubling, type Matrix, type Tiling } from './cook-toom.js';
import type { Context, Maps } from './layers.js';

// A 3 x 3 convolution of stride 1 as transforms, one matrix product for each product of a tile, and a transform back, in
// ONNX's standard operators. With n products and m outputs of a tile in each dimension, on P tiles of a map:
//
//   x      [N, C, H, W]
//   maps   [C N, 1, H, W]         transposed: whole maps move, and for one image none
//   down   [C N, n, rows, W]      Conv by B^T along the columns, from tile to tile
//   both   [C N, n, n rows, cols] Conv by B^T along the rows: the place in a row of products comes first from here on
//   v      [N, n n, C, P]         transposed, P tiles: onnxruntime takes it into the product, since C is the first axis
//   m      [N, n n, K, P]         MatMul by U = (G x G) w, which is folded when the model is loaded
//   y      [N, m, m K P]          MatMul by A^T, twice: along the columns, along the rows
//   result [N, K, rows m, cols m] two transpositions: the columns of a tile beside each other, then the rows
//
// Images stay apart all the way, so that an image's bits do not depend on the batch that it is in. On 128 channels of
// 32 x 32 with F(4, 3) the products are three quarters of the time; a direct convolution takes three times as long as all.

export interface WinogradOptions {
  readonly tiling: Tiling;
  /** Channels of the result. */
  readonly out: number;
  /** Added to the result: [N or 1, K, 1, 1]. */
  readonly shift: string | undefined;
}

export function winograd(c: Context, path: string, x: Maps, options: WinogradOptions): Maps {
  const { graph, parameters, sizes } = c;
  const { tiling, out, shift } = options;
  const { step, outputs: m, products: n } = tiling;
  const node = (type: string, inputs: string[], attributes = {}) => graph.node(path, type, inputs, attributes);
  const { rows, columns, count } = sizes.tiles(x, step);

  const taps = step + 2;
  const bt = (dims: number[]) => graph.floats(tiling.bt.flat(), dims);
  const reshape = (value: string, dims: number[]) => node('Reshape', [value, graph.ints(dims)]);
  const maps = reshape(node('Transpose', [x.name], { perm: [1, 0, 2, 3] }), [-1, 1, 0, 0]);
  const down = node('Conv', [maps, bt([n, 1, taps, 1])], {
    kernel_shape: [taps, 1],
    strides: [step, 1],
    pads: [1, 0, step, 0],
  });
  // All rows of a map as one map: n times fewer products, each n times larger.
  const both = node('Conv', [reshape(down, [0, 1, -1, 0]), bt([n, 1, 1, taps])], {
    kernel_shape: [1, taps],
    strides: [1, step],
    pads: [0, 1, 0, step],
  });
  const stacked = node('Reshape', [both, sizes.join(x.channels, -1, n * n, count)]);
  const v = node('Transpose', [stacked], { perm: [1, 2, 0, 3] });

  const products = node('MatMul', [filters(c, path, x.channels, out, tiling), v]);

  const at = graph.floats(tiling.at.flat(), [m, n]);
  const first = node('MatMul', [at, reshape(products, [0, n, n, -1])]);
  const second = node('MatMul', [at, reshape(first, [0, n, -1])]);
  const beside = node('Transpose', [second], { perm: [0, 2, 1] });
  const lines = node('Reshape', [beside, sizes.join(0, m, out, rows, -1)]);
  const tiles = node('Transpose', [lines], { perm: [0, 2, 3, 1, 4] });
  let y = node('Reshape', [tiles, sizes.join(0, 0, -1, sizes.times(columns, m))]);
  if (!isWhole(c, x, step)) y = node('Slice', [y, graph.ints([0, 0]), sizes.area(x, m / step), graph.ints([2, 3])]);
  const bias = parameters.get(`${path}.bias`, [out], [out, 1, 1]);
  const offset = shift === undefined ? bias : node('Add', [shift, bias]);
  return { name: node('Add', [y, offset]), channels: out, level: isDoubling(tiling) ? x.level - 1 : x.level };
}

/** Whether maps of this level are whole tiles, of whatever size: each halving below can be undone only on even sizes. */
const isWhole = ({ config }: Context, { level }: Maps, step: number): boolean =>
  2 ** (config.blockOutChannels.length - 1 - level) % step === 0;

/** U = (G x G) w, [1, n n, K, C]: one operator, so that folding it leaves nothing else behind in memory. */
function filters(c: Context, path: string, channels: number, out: number, { products: n, g }: Tiling): string {
  const { graph, parameters } = c;
  const weight = parameters.get(`${path}.weight`, [out, channels, 3, 3], [1, 1, out, 9 * channels]);
  const transform = graph.floats(bothWays(g), [n * n, 1, 1, 9]);
  return graph.node(path, 'Conv', [weight, transform], { kernel_shape: [1, 9], strides: [1, 9] });
}

/** G x G by rows: places in a row of products and then rows of them, taps by rows. */
const bothWays = (g: Matrix): number[] =>
  g.flatMap((along) => g.flatMap((down) => down.flatMap((x) => along.map((y) => x * y))));
