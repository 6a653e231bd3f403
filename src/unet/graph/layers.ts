import type { Activation, UNetArchitecture } from '../../config/architecture.js';
import type { OnnxGraph } from './onnx.js';
import type { Parameters } from './parameters.js';
import type { Planner } from './plan.js';
import type { Sizes } from './sizes.js';

// Layers of one to a few operators, named as in torch. Values are [N, C, H, W] unless said otherwise; N, H and W are free.

/** A value of the graph that is a stack of feature maps. */
export interface Maps {
  readonly name: string;
  readonly channels: number;
  /** How often it was halved: two values can be joined only if this is equal. */
  readonly level: number;
}

/** What the modules of one UNet share. */
export interface Context {
  readonly graph: OnnxGraph;
  readonly parameters: Parameters;
  readonly config: UNetArchitecture;
  readonly sizes: Sizes;
  /** Chooses how a 3 x 3 convolution is done. */
  readonly plan: Planner;
  /** Channels of the time embedding. */
  readonly timeChannels: number;
  /** The time embedding after the activation that every resnet applies to it: [N or 1, timeChannels]. */
  readonly time: string;
}

const SQRT1_2 = Math.SQRT1_2;

/** `get_activation` of diffusers/models/activations.py. onnxruntime fuses the forms of SiLU and GELU. */
export function activation(graph: OnnxGraph, path: string, x: string, kind: Activation): string {
  switch (kind) {
    case 'silu':
    case 'swish':
      return graph.node(path, 'Mul', [x, graph.node(path, 'Sigmoid', [x])]);
    case 'relu':
      return graph.node(path, 'Relu', [x]);
    case 'mish':
      return graph.node(path, 'Mul', [x, graph.node(path, 'Tanh', [graph.node(path, 'Softplus', [x])])]);
    case 'gelu': {
      const erf = graph.node(path, 'Erf', [graph.node(path, 'Mul', [x, graph.floats([SQRT1_2], [])])]);
      const gate = graph.node(path, 'Add', [erf, graph.floats([1], [])]);
      return graph.node(path, 'Mul', [graph.node(path, 'Mul', [x, gate]), graph.floats([0.5], [])]);
    }
  }
}

export interface ConvOptions {
  kernel: number;
  stride?: number;
  /** Top, left, bottom, right. */
  pads?: readonly [number, number, number, number];
}

/** torch.nn.Conv2d. */
export function conv2d(c: Context, path: string, x: Maps, out: number, options: ConvOptions): Maps {
  const { kernel, stride = 1, pads = [0, 0, 0, 0] } = options;
  const weight = c.parameters.get(`${path}.weight`, [out, x.channels, kernel, kernel]);
  const bias = c.parameters.get(`${path}.bias`, [out]);
  const name = c.graph.node(path, 'Conv', [x.name, weight, bias], {
    kernel_shape: [kernel, kernel],
    pads,
    strides: [stride, stride],
  });
  return { name, channels: out, level: x.level + (stride === 2 ? 1 : 0) };
}

/** torch.nn.Linear of a value [N, in] to [N, out]. */
export function linear(c: Omit<Context, 'time'>, path: string, x: string, size: number, out: number): string {
  const weight = c.parameters.get(`${path}.weight`, [out, size]);
  const bias = c.parameters.get(`${path}.bias`, [out]);
  return c.graph.node(path, 'Gemm', [x, weight, bias], { transB: 1 });
}

/** Divides by a factor, if it is one that changes anything. */
export function divide(c: Context, path: string, x: string, factor: number): string {
  return factor === 1 ? x : c.graph.node(path, 'Div', [x, c.graph.floats([factor], [])]);
}
