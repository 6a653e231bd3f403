import type { DownBlock, UpBlock } from '../../config/architecture.js';
import { attention } from './attention.js';
import { conv3x3, doubledConv3x3 } from './convolution.js';
import { activation, type Context, conv2d, type Maps } from './layers.js';
import { groupNorm } from './norm.js';
import { type ResnetOptions, resnet } from './resnet.js';
import { downsampleConv, downsampleFir, upsampleFir } from './sampling.js';

// Blocks of a UNet: diffusers/models/unets/unet_2d_blocks.py.

/** sqrt(2), as the Skip blocks have it. */
const SKIP_FACTOR = Math.SQRT2;
/** Groups of the attention norms of the Skip blocks. */
const SKIP_ATTENTION_GROUPS = 32;

const quarter = (channels: number): number => Math.min(Math.floor(channels / 4), 32);

/** What goes through the blocks: the maps, those put aside for the way up, and the small picture of the Skip blocks. */
export interface Flow {
  x: Maps;
  readonly saved: Maps[];
  picture: Maps | null;
}

const isSkip = (type: DownBlock | UpBlock): boolean => type.includes('Skip');
const hasAttention = (type: DownBlock | UpBlock): boolean => type.startsWith('Attn');

/** norm_num_groups, which only models of nothing but Skip blocks may leave out. */
function normGroups(c: Context): number {
  if (c.config.normNumGroups === null) throw new RangeError('norm_num_groups: expected an integer, got null');
  return c.config.normNumGroups;
}

/** One level of the way down. */
export function downBlock(c: Context, path: string, type: DownBlock, flow: Flow, out: number, last: boolean): void {
  const { config } = c;
  const skip = isSkip(type);
  const factor = skip ? SKIP_FACTOR : 1;
  for (let i = 0; i < config.layersPerBlock; i++) {
    const groups = skip ? { groups: quarter(flow.x.channels), groupsOut: quarter(out) } : { groups: normGroups(c) };
    flow.x = resnet(c, `${path}.resnets.${i}`, flow.x, { out, factor, ...groups });
    if (hasAttention(type)) {
      flow.x = attention(c, `${path}.attentions.${i}`, flow.x, {
        headDim: config.attentionHeadDim,
        groups: skip ? SKIP_ATTENTION_GROUPS : config.normNumGroups,
        factor,
      });
    }
    flow.saved.push(flow.x);
  }
  if (last) return;
  if (skip) {
    const options: ResnetOptions = { out, groups: quarter(out), resample: 'firDown', shortcut: true, factor };
    const h = resnet(c, `${path}.resnet_down`, flow.x, options);
    if (flow.picture?.channels !== 3)
      throw new RangeError(`in_channels: expected 3, for ${type}, got ${config.inChannels}`);
    flow.picture = downsampleFir(c, `${path}.downsamplers.0`, flow.picture);
    const small = conv2d(c, `${path}.skip_conv`, flow.picture, out, { kernel: 1 });
    flow.x = { ...h, name: c.graph.node(path, 'Add', [small.name, h.name]) };
  } else if (type === 'ResnetDownsampleBlock2D' || (type === 'AttnDownBlock2D' && config.downsampleType === 'resnet')) {
    flow.x = resnet(c, `${path}.downsamplers.0`, flow.x, { out, groups: normGroups(c), resample: 'down' });
  } else {
    flow.x = downsampleConv(c, `${path}.downsamplers.0`, flow.x, config.downsamplePadding);
  }
  flow.saved.push(flow.x);
}

/** `UNetMidBlock2D`. */
export function midBlock(c: Context, path: string, flow: Flow): void {
  const { config } = c;
  const out = flow.x.channels;
  const groups = config.normNumGroups ?? quarter(out);
  const factor = config.midBlockScaleFactor;
  flow.x = resnet(c, `${path}.resnets.0`, flow.x, { out, groups, factor });
  if (config.addAttention) {
    const fallback = config.resnetTimeScaleShift === 'default' ? groups : null;
    flow.x = attention(c, `${path}.attentions.0`, flow.x, {
      headDim: config.attentionHeadDim,
      groups: config.attnNormNumGroups ?? fallback,
      factor,
    });
  }
  flow.x = resnet(c, `${path}.resnets.1`, flow.x, { out, groups, factor });
}

/** One level of the way up. */
export function upBlock(c: Context, path: string, type: UpBlock, flow: Flow, out: number, last: boolean): void {
  const { config, graph } = c;
  const skip = isSkip(type);
  const factor = skip ? SKIP_FACTOR : 1;
  const attend = (i: number): void => {
    flow.x = attention(c, `${path}.attentions.${i}`, flow.x, {
      headDim: config.attentionHeadDim,
      groups: skip ? SKIP_ATTENTION_GROUPS : config.normNumGroups,
      factor,
    });
  };
  for (let i = 0; i <= config.layersPerBlock; i++) {
    const saved = flow.saved.pop() as Maps;
    const before = flow.x.channels;
    const joined: Maps = {
      name: graph.node(path, 'Concat', [flow.x.name, same(path, saved, flow.x).name], { axis: 1 }),
      channels: before + saved.channels,
      level: flow.x.level,
    };
    let groups: Pick<ResnetOptions, 'groups' | 'groupsOut'>;
    if (!skip) groups = { groups: normGroups(c) };
    // The precedence is diffusers': only the saved channels are divided by 4 here.
    else if (type === 'AttnSkipUpBlock2D') {
      groups = { groups: Math.min(before + Math.floor(saved.channels / 4), 32), groupsOut: quarter(out) };
    } else groups = { groups: quarter(joined.channels), groupsOut: quarter(out) };
    flow.x = resnet(c, `${path}.resnets.${i}`, joined, { out, factor, ...groups });
    if (type === 'AttnUpBlock2D') attend(i);
  }
  if (type === 'AttnSkipUpBlock2D') attend(0);
  if (skip) {
    if (flow.picture) flow.picture = upsampleFir(c, `${path}.upsampler`, flow.picture);
    if (last) return;
    const normal = groupNorm(c, `${path}.skip_norm`, flow.x, quarter(out), config.normEps);
    const act = { ...normal, name: activation(graph, `${path}.act`, normal.name, 'silu') };
    const drawn = conv3x3(c, `${path}.skip_conv`, act, 3);
    flow.picture = flow.picture ? { ...drawn, name: graph.node(path, 'Add', [flow.picture.name, drawn.name]) } : drawn;
    const options: ResnetOptions = { out, groups: quarter(out), resample: 'firUp', shortcut: true, factor };
    flow.x = resnet(c, `${path}.resnet_up`, flow.x, options);
  } else if (!last) {
    const resample = type === 'ResnetUpsampleBlock2D' || (type === 'AttnUpBlock2D' && config.upsampleType === 'resnet');
    flow.x = resample
      ? resnet(c, `${path}.upsamplers.0`, flow.x, { out, groups: normGroups(c), resample: 'up' })
      : doubledConv3x3(c, `${path}.upsamplers.0.conv`, flow.x, flow.x.channels);
  }
}

/** Values whose channels are joined must be equally large. Where they are not, diffusers cannot run the model either. */
function same(path: string, x: Maps, other: Maps): Maps {
  if (x.level !== other.level) {
    throw new RangeError(
      `down_block_types, up_block_types: these do not fit together: maps of two sizes meet in ${path}`,
    );
  }
  return x;
}
