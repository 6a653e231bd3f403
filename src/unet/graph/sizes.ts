import type { OnnxGraph } from './onnx.js';

// Sizes that are known only when the model runs: int64 vectors of the graph. All maps of one level are equally large, so
// that each vector is made once for a level.

/** How the tiles of a level lie: vectors of one element each. */
export interface Tiles {
  readonly rows: string;
  readonly columns: string;
  /** rows x columns. */
  readonly count: string;
}

interface Sized {
  readonly name: string;
  readonly channels: number;
  readonly level: number;
}

export class Sizes {
  readonly #made = new Map<string, string>();

  constructor(readonly graph: OnnxGraph) {}

  #once(key: string, make: () => string): string {
    let made = this.#made.get(key);
    if (made === undefined) {
      made = make();
      this.#made.set(key, made);
    }
    return made;
  }

  /** The shape [N, C, H, W]. */
  shape(x: Sized): string {
    return this.#once(`${x.level} shape ${x.channels}`, () => this.graph.node('sizes', 'Shape', [x.name]));
  }

  /** [H, W], times a factor. */
  area(x: Sized, factor = 1): string {
    return this.#once(`${x.level} area ${factor}`, () =>
      factor === 1
        ? this.graph.node('sizes', 'Shape', [x.name], { start: 2 })
        : this.graph.node('sizes', 'Mul', [this.area(x), this.graph.ints([factor])]),
    );
  }

  /** Tiles that start at every `step`th row and column. */
  tiles(x: Sized, step: number): Tiles {
    const { graph } = this;
    const both = () => {
      const padded = graph.node('sizes', 'Add', [this.area(x), graph.ints([step - 1])]);
      return graph.node('sizes', 'Div', [padded, graph.ints([step])]);
    };
    const key = `${x.level} tiles ${step}`;
    const one = (name: string, at: number) =>
      this.#once(`${key} ${name}`, () => graph.node('sizes', 'Gather', [this.#once(key, both), graph.ints([at])]));
    const [rows, columns] = [one('rows', 0), one('columns', 1)];
    const count = this.#once(`${key} count`, () => graph.node('sizes', 'Mul', [rows, columns]));
    return { rows, columns, count };
  }

  /** A vector of numbers and of such vectors, joined. */
  join(...parts: readonly (number | string)[]): string {
    const { graph } = this;
    return this.#once(parts.join(' '), () =>
      graph.node(
        'sizes',
        'Concat',
        parts.map((part) => (typeof part === 'number' ? graph.ints([part]) : part)),
        { axis: 0 },
      ),
    );
  }

  /** A vector of one element, times a factor. */
  times(size: string, factor: number): string {
    return factor === 1
      ? size
      : this.#once(`${size} * ${factor}`, () => this.graph.node('sizes', 'Mul', [size, this.graph.ints([factor])]));
  }
}
