const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/**
 * e ** x for x in [-700, 0], within 1 ULP of float64: x = n ln 2 + r, then Taylor's series in r. Built of additions,
 * multiplications and divisions only, so that it is the same on every engine, which Math.exp is not.
 */
export function exponential(x: number): number {
  const n = Math.round(x / LN2_HIGH);
  const r = x - n * LN2_HIGH - n * LN2_LOW;
  let sum = 1;
  for (let k = 18; k >= 1; k--) sum = 1 + (r * sum) / k;
  return sum * 2 ** n;
}
