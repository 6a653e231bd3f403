import { type Context, conv2d, type Maps } from './layers.js';

// Halving and doubling of maps: diffusers/models/downsampling.py and upsampling.py.

/** `Downsample2D` with a convolution; padding 0 pads right and bottom only. */
export function downsampleConv(c: Context, path: string, x: Maps, padding: number): Maps {
  const pads = padding === 0 ? ([0, 0, 1, 1] as const) : ([padding, padding, padding, padding] as const);
  return conv2d(c, `${path}.conv`, x, x.channels, { kernel: 3, stride: 2, pads });
}

/** `Downsample2D` without one: the mean of 2 x 2. */
export function downsampleMean(c: Context, path: string, x: Maps): Maps {
  const name = c.graph.node(path, 'AveragePool', [x.name], { kernel_shape: [2, 2], strides: [2, 2] });
  return { ...x, name, level: x.level + 1 };
}

/** `Upsample2D` without a convolution: each value twice in each direction. */
export function upsampleNearest(c: Context, path: string, x: Maps): Maps {
  const scales = c.graph.floats([1, 1, 2, 2], [4]);
  const name = c.graph.node(path, 'Resize', [x.name, '', scales], {
    coordinate_transformation_mode: 'asymmetric',
    mode: 'nearest',
    nearest_mode: 'floor',
  });
  return { ...x, name, level: x.level - 1 };
}

/** The outer product of (1, 3, 3, 1) with itself, one for each channel. */
function firWeight(c: Context, channels: number, sum: number): string {
  const taps = [1, 3, 3, 1];
  const kernel = taps.flatMap((a) => taps.map((b) => (a * b) / sum));
  const values = Array.from({ length: channels }, () => kernel).flat();
  return c.graph.floats(values, [channels, 1, 4, 4]);
}

/** `FirDownsample2D` without a convolution: `upfirdn2d` by (1, 3, 3, 1) / 8 in each direction, every second value. */
export function downsampleFir(c: Context, path: string, x: Maps): Maps {
  const name = c.graph.node(path, 'Conv', [x.name, firWeight(c, x.channels, 64)], {
    kernel_shape: [4, 4],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    group: x.channels,
  });
  return { ...x, name, level: x.level + 1 };
}

/** `FirUpsample2D` without a convolution: zeros between, then (1, 3, 3, 1) / 4 in each direction. */
export function upsampleFir(c: Context, path: string, x: Maps): Maps {
  const name = c.graph.node(path, 'ConvTranspose', [x.name, firWeight(c, x.channels, 16)], {
    kernel_shape: [4, 4],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    group: x.channels,
  });
  return { ...x, name, level: x.level - 1 };
}
