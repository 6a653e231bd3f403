import { conv3x3, doubledConv3x3 } from './convolution.js';
import { activation, type Context, conv2d, divide, linear, type Maps } from './layers.js';
import { type Affine, groupNorm } from './norm.js';
import { downsampleFir, downsampleMean, upsampleFir, upsampleNearest } from './sampling.js';

const RESAMPLE = { down: downsampleMean, up: upsampleNearest, firDown: downsampleFir, firUp: upsampleFir } as const;

export interface ResnetOptions {
  /** Channels of the result. */
  out: number;
  /** Groups of the first norm, and of the second if they differ. */
  groups: number;
  groupsOut?: number;
  resample?: keyof typeof RESAMPLE;
  /** A convolution on the shortcut; by default where the channels change. */
  shortcut?: boolean;
  /** The sum is divided by this. */
  factor?: number;
}

/** `ResnetBlock2D` of diffusers/models/resnet.py. */
export function resnet(c: Context, path: string, x: Maps, options: ResnetOptions): Maps {
  const { graph, config } = c;
  const { out, groups, groupsOut = groups, resample, shortcut = x.channels !== out, factor = 1 } = options;
  const act = (at: string, value: Maps): Maps => ({ ...value, name: activation(graph, at, value.name, config.actFn) });

  let residual = x;
  let h = act(path, groupNorm(c, `${path}.norm1`, x, groups, config.normEps));
  if (resample) residual = RESAMPLE[resample](c, path, residual);
  if (resample && resample !== 'up') h = RESAMPLE[resample](c, path, h);
  const conv1 = resample === 'up' ? doubledConv3x3 : conv3x3;
  if (config.resnetTimeScaleShift === 'default') {
    const [shift] = timeProjection(c, path, out, 1);
    h = conv1(c, `${path}.conv1`, h, out, shift);
    h = groupNorm(c, `${path}.norm2`, h, groupsOut, config.normEps);
  } else {
    const [time, shift] = timeProjection(c, path, out, 2) as [string, string];
    const scale = graph.node(path, 'Add', [time, graph.floats([1], [])]);
    h = conv1(c, `${path}.conv1`, h, out);
    h = groupNorm(c, `${path}.norm2`, h, groupsOut, config.normEps, { scale, shift } satisfies Affine);
  }
  h = conv3x3(c, `${path}.conv2`, act(path, h), out);
  if (shortcut) residual = conv2d(c, `${path}.conv_shortcut`, residual, out, { kernel: 1 });
  const sum = graph.node(path, 'Add', [residual.name, h.name]);
  return { ...h, name: divide(c, path, sum, factor) };
}

/** The time embedding as `parts` values [N or 1, out, 1, 1]. */
function timeProjection(c: Context, path: string, out: number, parts: number): string[] {
  const { graph } = c;
  const all = linear(c, `${path}.time_emb_proj`, c.time, c.timeChannels, parts * out);
  const shaped = graph.node(path, 'Reshape', [all, graph.ints([0, -1, 1, 1])]);
  return parts === 1 ? [shaped] : graph.nodes(path, 'Split', [shaped], { axis: 1 }, parts);
}
