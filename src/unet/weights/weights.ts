/** Types of elements that a checkpoint may hold and the graph builder can use. */
export type Dtype = 'float64' | 'float32' | 'float16' | 'bfloat16';

/** Where one tensor lies: contiguous, row-major, little-endian bytes of a file. */
export interface Weight {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Key of `Weights.files`. */
  readonly file: string;
  /** First byte in that file. */
  readonly offset: number;
  /** Number of bytes: the size of the shape times that of an element. */
  readonly length: number;
}

/** The tensors of a checkpoint by name, and the bytes of the files that hold them. No tensor is ever copied. */
export interface Weights {
  readonly tensors: ReadonlyMap<string, Weight>;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Bytes of one element. */
export const ELEMENT_SIZE: Readonly<Record<Dtype, number>> = { float64: 8, float32: 4, float16: 2, bfloat16: 2 };
