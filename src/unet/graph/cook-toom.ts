// Convolutions by fewer multiplications: the Cook-Toom algorithm, which Winograd proved minimal (Arithmetic Complexity of
// Computations, 1980) and Lavin and Gray brought to images (Fast Algorithms for Convolutional Neural Networks, 2016).
// In one dimension, y = A^T [(G g) * (B^T d)] gives neighbouring outputs y of a filter g from inputs d, with one product
// for each row of G and of B^T. In two dimensions it is applied to rows and to columns.

/** A matrix by rows. */
export type Matrix = readonly (readonly number[])[];

/** An algorithm for the tiles of a map, the same in both dimensions. */
export interface Tiling {
  readonly name: string;
  /** Inputs from one tile to the next; a tile reads one before them and one after. */
  readonly step: number;
  /** Outputs of a tile: `step`, or twice that where the convolution doubles the map. */
  readonly outputs: number;
  /** Products of a tile. */
  readonly products: number;
  /** Output transform, [outputs, products]. */
  readonly at: Matrix;
  /** Filter transform, [products, 3]. */
  readonly g: Matrix;
  /** Input transform, [products, step + 2]. */
  readonly bt: Matrix;
}

export const isDoubling = ({ step, outputs }: Tiling): boolean => outputs !== step;

/** 1, x, x^2, ...; exact for the points below. */
function powers(x: number, count: number): number[] {
  const result: number[] = [];
  for (let i = 0, power = 1; i < count; i++, power *= x) result.push(power);
  return result;
}

/** Coefficients of the polynomial with these roots, lowest first. */
function polynomial(roots: readonly number[]): number[] {
  let result = [1];
  for (const root of roots) result = [...result, 0].map((_, i) => (result[i - 1] ?? 0) - root * (result[i] ?? 0));
  return result;
}

const transpose = (matrix: Matrix): Matrix =>
  (matrix[0] as readonly number[]).map((_, i) => matrix.map((row) => row[i] as number));

/** F(m, r), m outputs of r taps: polynomials evaluated at m + r - 2 points and at infinity. */
function cookToom(m: number, r: number, points: readonly number[]): Pick<Tiling, 'at' | 'g' | 'bt'> {
  const others = points.map((_, j) => points.filter((_, k) => k !== j));
  const scales = points.map((p, j) => (others[j] as number[]).reduce((product, q) => product * (p - q), 1));
  const last = (size: number) => Array.from({ length: size }, (_, i) => (i === size - 1 ? 1 : 0));
  return {
    at: transpose([...points.map((p) => powers(p, m)), last(m)]),
    g: [...points.map((p, j) => powers(p, r).map((power) => power / (scales[j] as number))), last(r)],
    bt: [...others.map((roots) => [...polynomial(roots), 0]), polynomial(points)],
  };
}

function plain(m: number, points: readonly number[]): Tiling {
  return { name: `F(${m},3)`, step: m, outputs: m, products: m + 2, ...cookToom(m, 3, points) };
}

/**
 * A filter (a, b, c) on a map with every value twice: outputs 2i are the filter (a, b + c) on the map itself, outputs
 * 2i + 1 the filter (a + b, c) one further. Both by F(m, 2).
 */
function doubling(m: number, points: readonly number[]): Tiling {
  const { at, g, bt } = cookToom(m, 2, points);
  const none = at.map(() => 0).concat(0);
  return {
    name: `2 x F(${m},2)`,
    step: m,
    outputs: 2 * m,
    products: 2 * (m + 1),
    at: at.flatMap((row) => [
      [...row, ...none],
      [...none, ...row],
    ]),
    g: [...g.map(([p, q]) => [p, q, q]), ...g.map(([p, q]) => [p, p, q])] as Matrix,
    bt: [...bt.map((row) => [...row, 0]), ...bt.map((row) => [0, ...row])],
  };
}

/**
 * The points decide what rounding costs. These are dyadic, so that A^T and B^T are exact in float32, and among such
 * points they lose the least: on 128 channels of noise the mean error, of the outputs' deviation, is 3e-7 for F(2, 3),
 * 1.0e-6 for F(4, 3) (2.1e-6 with the usual 0, 1, -1, 2, -2) and 4e-6 for F(6, 3).
 */
export const TILINGS: readonly Tiling[] = [plain(2, [0, 1, -1]), plain(4, [0, 0.75, -0.75, 1.5, -1.5])];

/**
 * y[2i] = s x[i] + a (x[i - 1] - x[i]) and y[2i + 1] = s x[i] + c (x[i + 1] - x[i]) with s = a + b + c: 9 products for
 * 4 outputs, as many as F(4, 3) has, on tiles of one pixel and with no more weights than before.
 */
const PIXEL: Tiling = {
  name: '2 x F(1,2)',
  step: 1,
  outputs: 2,
  products: 3,
  at: [
    [1, 1, 0],
    [1, 0, 1],
  ],
  g: [
    [1, 1, 1],
    [1, 0, 0],
    [0, 0, 1],
  ],
  bt: [
    [0, 1, 0],
    [1, -1, 0],
    [0, -1, 1],
  ],
};

/** Algorithms for a map that is doubled first. */
export const DOUBLING_TILINGS: readonly Tiling[] = [PIXEL, doubling(4, [0, 1, -1, 0.5])];
