import type { Weight } from '../weights/weights.js';
import type { OnnxGraph } from './onnx.js';

/**
 * Names under which a tensor may lie. Attention had other names before diffusers 0.13
 * (`_convert_deprecated_attention_blocks` of modeling_utils.py); the frequencies of a Fourier embedding have two.
 */
const ALIASES: readonly [RegExp, string][] = [
  [/\.to_q\.(weight|bias)$/, '.query.$1'],
  [/\.to_k\.(weight|bias)$/, '.key.$1'],
  [/\.to_v\.(weight|bias)$/, '.value.$1'],
  [/\.to_out\.0\.(weight|bias)$/, '.proj_attn.$1'],
  [/^time_proj\.weight$/, 'time_proj.W'],
];

/** Hands the tensors of a checkpoint to a graph, each checked against the shape that the architecture asks for. */
export class Parameters {
  readonly #used = new Set<string>();
  #count = 0;

  constructor(
    readonly label: string,
    readonly tensors: ReadonlyMap<string, Weight>,
    readonly graph: OnnxGraph,
  ) {}

  /** Number of parameters handed out. */
  get count(): number {
    return this.#count;
  }

  /** Names that the architecture had no use for. */
  get unused(): string[] {
    const known = new Set(this.#used);
    for (const name of this.#used) for (const [pattern, old] of ALIASES) known.add(name.replace(pattern, old));
    return [...this.tensors.keys()].filter((name) => !known.has(name));
  }

  /** A tensor of the shape `shape`, as the graph sees it: with `dims`. */
  get(name: string, shape: readonly number[], dims: readonly number[] = shape): string {
    const stored = this.#find(name);
    const weight = this.tensors.get(stored) as Weight;
    if (weight.shape.length !== shape.length || weight.shape.some((size, i) => size !== shape[i])) {
      throw new Error(
        `${this.label}: expected the shape [${shape.join(', ')}] for ${stored}, got [${weight.shape.join(', ')}]; ` +
          'the weights belong to another config.json',
      );
    }
    if (!this.#used.has(name)) this.#count += shape.reduce((n, size) => n * size, 1);
    this.#used.add(name);
    return this.graph.weight(stored, weight, dims);
  }

  #find(name: string): string {
    if (this.tensors.has(name)) return name;
    for (const [pattern, old] of ALIASES) {
      const older = name.replace(pattern, old);
      if (this.tensors.has(older)) return older;
    }
    throw new Error(`${this.label}: the tensor ${name} is missing; the weights belong to another config.json`);
  }
}
