import { describe } from './check.js';

/** A dense array of float32, row-major. Any object of this form will do. */
export interface Tensor {
  /** The elements, last dimension fastest. */
  readonly data: Float32Array;
  /** The size of each dimension. */
  readonly shape: readonly number[];
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

/** Checks a shape: non-negative integers whose product an array can hold. Takes a number as a shape of one. */
export function checkShape(name: string, shape: unknown): readonly number[] {
  const dims = typeof shape === 'number' ? [shape] : shape;
  if (!Array.isArray(dims) && !(dims instanceof Int32Array)) {
    throw new TypeError(`${name}: expected an array of integers, got ${describe(shape)}`);
  }
  const list = Array.from(dims as ArrayLike<unknown>);
  for (const d of list) {
    if (typeof d !== 'number') throw new TypeError(`${name}: expected an array of integers, got ${describe(shape)}`);
    if (!Number.isInteger(d) || d < 0) {
      throw new RangeError(`${name}: expected integers of at least 0, got ${describe(shape)}`);
    }
  }
  const size = sizeOf(list as number[]);
  if (!(size <= 0x3fffffff))
    throw new RangeError(`${name}: expected at most 2^30 - 1 elements, got ${describe(shape)}`);
  return list as number[];
}

/** Checks that a value is a Tensor whose data fill its shape; `like` asks for the same shape as another's. */
export function checkTensor(name: string, value: unknown, like?: Tensor): Tensor {
  const tensor = value as Tensor;
  if (
    typeof value !== 'object' ||
    value === null ||
    Object.prototype.toString.call(tensor.data) !== '[object Float32Array]'
  ) {
    throw new TypeError(`${name}: expected a tensor { data: Float32Array, shape }, got ${describe(value)}`);
  }
  const size = sizeOf(checkShape(`${name}.shape`, tensor.shape));
  if (size !== tensor.data.length) {
    throw new RangeError(
      `${name}: expected ${size} elements for the shape [${tensor.shape.join(', ')}], got ${tensor.data.length}`,
    );
  }
  if (like && (like.shape.length !== tensor.shape.length || like.shape.some((d, i) => d !== tensor.shape[i]))) {
    throw new RangeError(`${name}: expected the shape [${like.shape.join(', ')}], got [${tensor.shape.join(', ')}]`);
  }
  return tensor;
}
