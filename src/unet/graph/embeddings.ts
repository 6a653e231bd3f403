import type { UNetArchitecture } from '../../config/architecture.js';
import { exponential } from './exponential.js';
import { activation, type Context, linear } from './layers.js';

// Time and class embeddings: diffusers/models/embeddings.py and the head of UNet2DModel.forward.

const LN_MAX_PERIOD = Math.fround(9.210340371976184); // ln 10000

type Embedder = Omit<Context, 'time'>;

/** Frequencies of `get_timestep_embedding`, in its float32 arithmetic. */
export function frequencies(channels: number, freqShift: number): Float32Array {
  const half = Math.floor(channels / 2);
  const divisor = Math.fround(half - freqShift);
  return Float32Array.from({ length: half }, (_, i) => {
    const exponent = Math.fround(Math.fround(-LN_MAX_PERIOD * i) / divisor);
    return Number.isFinite(exponent) ? exponential(exponent) : exponent === -Infinity ? 0 : exponent;
  });
}

/** Sine and cosine of [N, half], side by side, with a column of zeros for an odd number of channels. */
function waves(c: Embedder, phase: string, flipped: boolean, odd: boolean): string {
  const { graph } = c;
  const sine = graph.node('time_proj', 'Sin', [phase]);
  const cosine = graph.node('time_proj', 'Cos', [phase]);
  const both = graph.node('time_proj', 'Concat', flipped ? [cosine, sine] : [sine, cosine], { axis: 1 });
  return odd ? graph.node('time_proj', 'Pad', [both, graph.ints([0, 0, 0, 1])]) : both;
}

/** `time_proj`: integers [N] to [N, channels]. `GaussianFourierProjection` takes the logarithm in float64. */
function project(c: Embedder, steps: string): { name: string; channels: number } {
  const { graph, parameters, config } = c;
  const channels = config.blockOutChannels[0] as number;
  if (config.timeEmbeddingType === 'learned') {
    const table = parameters.get('time_proj.weight', [config.numTrainTimesteps as number, channels]);
    return { name: graph.node('time_proj', 'Gather', [table, steps]), channels };
  }
  const column = graph.node('time_proj', 'Reshape', [steps, graph.ints([-1, 1])]);
  if (config.timeEmbeddingType === 'positional') {
    const row = graph.floats(frequencies(channels, config.freqShift), [1, Math.floor(channels / 2)]);
    const phase = graph.node('time_proj', 'Mul', [graph.node('time_proj', 'Cast', [column], { to: 1 }), row]);
    return { name: waves(c, phase, config.flipSinToCos, channels % 2 === 1), channels };
  }
  const wide = graph.node('time_proj', 'Cast', [column], { to: 11 });
  const log = graph.node('time_proj', 'Cast', [graph.node('time_proj', 'Log', [wide])], { to: 1 });
  const weight = parameters.get('time_proj.weight', [channels], [1, channels]);
  const turns = graph.node('time_proj', 'Mul', [log, weight]);
  const twice = graph.node('time_proj', 'Mul', [turns, graph.floats([2], [])]);
  const phase = graph.node('time_proj', 'Mul', [twice, graph.floats([Math.PI], [])]);
  return { name: waves(c, phase, false, false), channels: 2 * channels };
}

/** `TimestepEmbedding`: its activation is SiLU, whatever that of the model. */
function embed(c: Embedder, path: string, x: string, size: number): string {
  const hidden = linear(c, `${path}.linear_1`, x, size, c.timeChannels);
  const act = activation(c.graph, path, hidden, 'silu');
  return linear(c, `${path}.linear_2`, act, c.timeChannels, c.timeChannels);
}

/** Whether the model takes class labels: the condition of UNet2DModel's constructor. */
export function hasClasses(config: UNetArchitecture): boolean {
  return config.classEmbedType !== null || config.numClassEmbeds !== null;
}

/**
 * The embedding of `timestep` and, where the model has classes, of the graph's input `class_labels`, after the activation
 * that every resnet applies to it: [N or 1, timeChannels].
 */
export function timeEmbedding(c: Embedder, timestep: string): string {
  const { graph, parameters, config, timeChannels } = c;
  const steps = project(c, timestep);
  let embedding = embed(c, 'time_embedding', steps.name, steps.channels);
  if (hasClasses(config)) {
    let labels: string;
    if (config.classEmbedType === 'identity') {
      labels = graph.input('class_labels', 'float32', ['batch', timeChannels]);
    } else {
      labels = graph.input('class_labels', 'int64', ['batch']);
      if (config.classEmbedType === 'timestep') {
        const projected = project(c, labels);
        labels = embed(c, 'class_embedding', projected.name, projected.channels);
      } else {
        const table = parameters.get('class_embedding.weight', [config.numClassEmbeds as number, timeChannels]);
        labels = graph.node('class_embedding', 'Gather', [table, labels]);
      }
    }
    embedding = graph.node('class_embedding', 'Add', [embedding, labels]);
  }
  return activation(graph, 'time_embedding', embedding, config.actFn);
}
