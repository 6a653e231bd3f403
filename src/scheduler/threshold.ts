import { eachChunk, kernels } from '../kernels/arena.js';

const { fround } = Math;
const INFINITY_KEY = 0x7f8;
const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** The `rank`-th smallest |x|, exactly; NaN if any element is NaN, as torch has it. */
function orderStatistic(values: Float32Array, rank: number): number {
  const k = kernels();
  const [pointer, buffer] = [k.pointers[0] as number, k.buffers[0] as Float32Array];
  let prefix = 0;
  let remaining = rank;
  for (const [shift, width] of [
    [20, 11],
    [10, 10],
    [0, 10],
  ] as const) {
    k.countsView.fill(0);
    eachChunk(values.length, (start, count) => {
      buffer.set(values.subarray(start, start + count));
      k.countMagnitudes(count, pointer, k.counts, shift, width, prefix);
    });
    if (shift === 20 && k.countsView.subarray(INFINITY_KEY + 1).some((c) => c > 0)) return NaN;
    let bin = 0;
    while (remaining >= (k.countsView[bin] as number)) remaining -= k.countsView[bin++] as number;
    prefix = (prefix << width) | bin;
  }
  bits[0] = prefix;
  return floats[0] as number;
}

/** `torch.quantile(x.abs(), q)` with linear interpolation, in float32. */
function quantileOfMagnitudes(values: Float32Array, q: number): number {
  const rank = fround(fround(q) * (values.length - 1));
  const below = Math.floor(rank);
  const low = orderStatistic(values, below);
  const weight = fround(rank - below);
  const high = weight === 0 ? low : orderStatistic(values, below + 1);
  // ATen's lerp counts from the nearer end, with one fused multiply-add; the product of two float32 is exact here.
  const span = fround(high - low);
  return weight < 0.5 ? fround(low + weight * span) : fround(high - span * fround(1 - weight));
}

/** The threshold s of one image: the quantile, at least 1, at most `max`. */
export function imageThreshold(x0: Float32Array, ratio: number, max: number): number {
  const s = quantileOfMagnitudes(x0, ratio);
  return fround(Math.min(Math.max(s, 1), max));
}
