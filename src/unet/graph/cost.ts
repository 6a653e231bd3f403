import type { Tiling } from './cook-toom.js';

// What a 3 x 3 convolution costs, for one image and one thread.

export interface Size {
  readonly channels: number;
  readonly out: number;
  /** Of the map that is read. */
  readonly rows: number;
  readonly columns: number;
}

/** onnxruntime's matrix product takes columns by 16 at a time. */
const sixteens = (count: number): number => 16 * Math.ceil(count / 16);

/**
 * How much of each kind of work there is. Directly: products, values that are gathered for them, and 1 for the operator. With
 * a tiling: products, transformed values before and after them, and 1 for the operators.
 */
export function work({ channels, out, rows, columns }: Size, tiling: Tiling | null): number[] {
  if (!tiling) return [9 * channels * out * sixteens(rows * columns), 9 * channels * rows * columns, 1];
  const { step, products } = tiling;
  const tiles = Math.ceil(rows / step) * Math.ceil(columns / step);
  const each = products * products;
  return [each * channels * out * sixteens(tiles), each * channels * tiles, each * out * tiles, 1];
}

/** What runs the convolutions: onnxruntime-web or onnxruntime-node, on the processor. */
export type Engine = 'wasm' | 'cpu';

/**
 * Nanoseconds of each kind of work, fitted by bench/winograd.mjs (`wasm`: Xeon with AVX2, Node 20, onnxruntime-web 1.30;
 * `cpu`: EPYC with AVX-512, onnxruntime-node 1.30). Only their proportions matter.
 */
const RATES = {
  wasm: { direct: [0.0554, 0.159, 6060], tiled: [0.0621, 0.976, 0.348, 29900] },
  cpu: { direct: [0.015, 0.211, 3570], tiled: [0.0326, 1, 0.408, 16300] },
} as const;

/** Nanoseconds, by the model. */
export function cost(size: Size, tiling: Tiling | null, engine: Engine): number {
  const rates = RATES[engine][tiling ? 'tiled' : 'direct'];
  return work(size, tiling).reduce((sum, amount, i) => sum + amount * (rates[i] as number), 0);
}

/** Bytes of weights beyond those of the direct convolution. */
export function extraBytes({ channels, out }: Pick<Size, 'channels' | 'out'>, { products }: Tiling): number {
  return 4 * channels * out * (products * products - 9);
}
