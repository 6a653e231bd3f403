import type { UNetArchitecture } from '../../config/architecture.js';
import type { Weights } from '../weights/weights.js';
import { downBlock, type Flow, midBlock, upBlock } from './blocks.js';
import { conv3x3 } from './convolution.js';
import { timeEmbedding } from './embeddings.js';
import { activation, type Context } from './layers.js';
import { groupNorm } from './norm.js';
import { OnnxGraph } from './onnx.js';
import { Parameters } from './parameters.js';
import { type Convolution, follow, makePlan, type Plan, type Planner, type Planning } from './plan.js';
import { Sizes } from './sizes.js';

/** A UNet as an ONNX graph. */
export interface UNetGraph {
  readonly graph: OnnxGraph;
  /** Number of parameters. */
  readonly parameters: number;
  /** Tensors of the checkpoint that the architecture has no use for. */
  readonly unused: readonly string[];
  /** Number of 3 x 3 convolutions of stride 1, and which of them are done with fewer multiplications. */
  readonly convolutions: number;
  readonly plan: Plan;
}

/**
 * Builds the forward pass of `UNet2DModel` (diffusers/models/unets/unet_2d.py) from its configuration and the tensors of
 * a checkpoint. Inputs: `sample` float32 [batch, C, height, width], `timestep` int64 [batch] or [1], and `class_labels`
 * where the model has classes. Output: `out_sample`.
 *
 * @param label how messages name the weights.
 * @param planning what faster convolutions are planned for; null: direct convolutions only.
 * @throws {RangeError} a configuration that diffusers cannot run either. @throws {Error} a missing tensor, or one of
 * another shape.
 */
export function buildGraph(
  config: UNetArchitecture,
  weights: Pick<Weights, 'tensors'>,
  label: string,
  planning: Planning | null = null,
): UNetGraph {
  const convs: Convolution[] = [];
  const direct = assemble(config, weights, label, (conv) => {
    convs.push(conv);
    return null;
  });
  const convolutions = new Set(convs.map(({ path }) => path)).size;
  const none: Plan = { tilings: new Map(), extraBytes: 0 };
  const plan = planning === null ? none : makePlan(convs, config, planning);
  const built = plan.tilings.size === 0 ? direct : assemble(config, weights, label, follow(plan));
  return { ...built, convolutions, plan };
}

/** The graph with its 3 x 3 convolutions done as `plan` says. */
export function assemble(
  config: UNetArchitecture,
  weights: Pick<Weights, 'tensors'>,
  label: string,
  plan: Planner,
): Omit<UNetGraph, 'plan' | 'convolutions'> {
  const graph = new OnnxGraph();
  const parameters = new Parameters(label, weights.tensors, graph);
  const sizes = new Sizes(graph);
  const widths = config.blockOutChannels;
  const first = widths[0] as number;
  const levels = widths.length;

  let sample = graph.input('sample', 'float32', ['batch', config.inChannels, 'height', 'width']);
  const timestep = graph.input('timestep', 'int64', ['batch_or_1']);
  const shared = { graph, parameters, config, sizes, plan, timeChannels: config.timeEmbeddingDim ?? 4 * first };
  const c: Context = { ...shared, time: timeEmbedding(shared, timestep) };

  if (config.centerInputSample) {
    const twice = graph.node('sample', 'Mul', [sample, graph.floats([2], [])]);
    sample = graph.node('sample', 'Sub', [twice, graph.floats([1], [])]);
  }
  const picture = { name: sample, channels: config.inChannels, level: 0 };
  const start = conv3x3(c, 'conv_in', picture, first);
  const flow: Flow = { x: start, saved: [start], picture };

  for (const [i, type] of config.downBlockTypes.entries()) {
    downBlock(c, `down_blocks.${i}`, type, flow, widths[i] as number, i === levels - 1);
  }
  if (config.midBlockType !== null) midBlock(c, 'mid_block', flow);
  const up: Flow = { ...flow, picture: null };
  for (const [i, type] of config.upBlockTypes.entries()) {
    upBlock(c, `up_blocks.${i}`, type, up, widths[levels - 1 - i] as number, i === levels - 1);
  }

  const groups = config.normNumGroups ?? Math.min(Math.floor(first / 4), 32);
  const normal = groupNorm(c, 'conv_norm_out', up.x, groups, config.normEps);
  const act = { ...normal, name: activation(graph, 'conv_act', normal.name, 'silu') };
  let out = conv3x3(c, 'conv_out', act, config.outChannels).name;
  if (up.picture) {
    if (config.outChannels !== 3)
      throw new RangeError(`out_channels: expected 3, for Skip blocks, got ${config.outChannels}`);
    out = graph.node('out_sample', 'Add', [out, up.picture.name]);
  }
  if (config.timeEmbeddingType === 'fourier') {
    const steps = graph.node('out_sample', 'Cast', [timestep], { to: 1 });
    const shaped = graph.node('out_sample', 'Reshape', [steps, graph.ints([-1, 1, 1, 1])]);
    out = graph.node('out_sample', 'Div', [out, shaped]);
  }
  graph.rename(out, 'out_sample');
  graph.output('out_sample', 'float32', ['batch', config.outChannels, 'height', 'width']);
  return { graph, parameters: parameters.count, unused: parameters.unused };
}
