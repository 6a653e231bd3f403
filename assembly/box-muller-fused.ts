// box-muller.ts where the engine fuses f32x4.relaxed_madd: torch's operations as they are, each fused step one instruction.
// The bits are the same. Where it does not fuse they are not: src/kernels/ tries before it relies on this.
import { temper } from './mt19937';

/** As many blocks as MT19937 gives at a time. */
export const BATCH: u32 = 39;

const ZERO = memory.data<f32>([0]);
const MINUS_HALF = memory.data<f32>([-0.5]);
const ONE = memory.data<f32>([1]);
const SIGN = memory.data<u32>([0x80000000]);

// As in box-muller.ts: -u1 = -m * 2^e, a = 1 - m, and torch's log times -2 in terms of a. What is multiplied by a power of
// two or has its sign flipped is rounded alike.
const MINUS_2_24 = memory.data<u32>([0xff000000]);
const SQRT_HALF = memory.data<u32>([0x3f3504f3]);
const EXPONENT = memory.data<u32>([0x7f800000]);
const EXPONENT_OF_2_24 = memory.data<u32>([24 << 23]);
const LOG = memory.data<f32>([
  7.0376836292e-2, 1.151461031e-1, 1.167699874e-1, 1.2420140846e-1, 1.4249322787e-1, 1.6668057665e-1, 2.0000714765e-1,
  2.4999993993e-1, 3.3333331174e-1,
]);
const LN2_LOW = memory.data<f32>([4.2438888e-4 / 8388608]);
const LN2_HIGH = memory.data<f32>([-1.38671875 / 8388608]);

// Quarter turns, as a multiple of 2^22, and the parts of pi / 2 that box-muller.ts explains.
const LOW_24 = memory.data<u32>([0xffffff]);
const EIGHTH_TURN = memory.data<u32>([1 << 21]);
const QUARTER_TURNS = memory.data<u32>([7 << 22]);
const TWO_PI = memory.data<f32>([6.2831855 / 16777216]);
const MINUS_HALF_PI = memory.data<f32>([
  -1.5703125 / 4194304, -4.838109016418457e-4 / 4194304, -1.58932565e-8 / 4194304,
]);
const COSINE = memory.data<f32>([2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]);
const SINE = memory.data<f32>([-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);

// @ts-ignore: decorator
@inline
function splat(address: usize): v128 {
  return v128.load32_splat(address);
}

// @ts-ignore: decorator
@inline
function fma(a: v128, b: v128, c: v128): v128 {
  return f32x4.relaxed_madd(a, b, c);
}

/** The radii of 8 pairs from the first 8 of 16 words. */
// @ts-ignore: decorator
@inline
function radii(words: usize, out: usize): void {
  const w0 = temper(v128.load(words, 16 * 0));
  const w1 = temper(v128.load(words, 16 * 1));
  const u0 = f32x4.convert_i32x4_s(v128.or(w0, splat(MINUS_2_24)));
  const u1 = f32x4.convert_i32x4_s(v128.or(w1, splat(MINUS_2_24)));
  const exponent0 = v128.and(i32x4.sub(u0, splat(SQRT_HALF)), splat(EXPONENT));
  const exponent1 = v128.and(i32x4.sub(u1, splat(SQRT_HALF)), splat(EXPONENT));
  const a0 = f32x4.add(i32x4.sub(u0, exponent0), splat(ONE));
  const a1 = f32x4.add(i32x4.sub(u1, exponent1), splat(ONE));
  const e0 = f32x4.convert_i32x4_s(i32x4.sub(exponent0, splat(EXPONENT_OF_2_24)));
  const e1 = f32x4.convert_i32x4_s(i32x4.sub(exponent1, splat(EXPONENT_OF_2_24)));
  const z0 = f32x4.mul(a0, a0);
  const z1 = f32x4.mul(a1, a1);
  const twice0 = f32x4.add(a0, a0);
  const twice1 = f32x4.add(a1, a1);
  let y0 = fma(splat(LOG), a0, splat(LOG + 4));
  let y1 = fma(splat(LOG), a1, splat(LOG + 4));
  y0 = fma(y0, a0, splat(LOG + 8));
  y1 = fma(y1, a1, splat(LOG + 8));
  y0 = fma(y0, a0, splat(LOG + 12));
  y1 = fma(y1, a1, splat(LOG + 12));
  y0 = fma(y0, a0, splat(LOG + 16));
  y1 = fma(y1, a1, splat(LOG + 16));
  y0 = fma(y0, a0, splat(LOG + 20));
  y1 = fma(y1, a1, splat(LOG + 20));
  y0 = fma(y0, a0, splat(LOG + 24));
  y1 = fma(y1, a1, splat(LOG + 24));
  y0 = fma(y0, a0, splat(LOG + 28));
  y1 = fma(y1, a1, splat(LOG + 28));
  y0 = fma(y0, a0, splat(LOG + 32));
  y1 = fma(y1, a1, splat(LOG + 32));
  y0 = fma(f32x4.mul(y0, twice0), z0, f32x4.mul(e0, splat(LN2_LOW)));
  y1 = fma(f32x4.mul(y1, twice1), z1, f32x4.mul(e1, splat(LN2_LOW)));
  y0 = f32x4.add(twice0, f32x4.add(y0, z0));
  y1 = f32x4.add(twice1, f32x4.add(y1, z1));
  v128.store(out, f32x4.sqrt(fma(e0, splat(LN2_HIGH), y0)), 16 * 0);
  v128.store(out, f32x4.sqrt(fma(e1, splat(LN2_HIGH), y1)), 16 * 1);
}

/** 8 pairs of normals from their radii, which lie where the cosines come to lie, and the last 8 of 16 words. */
// @ts-ignore: decorator
@inline
function rotate(words: usize, out: usize): void {
  const w0 = temper(v128.load(words, 32 + 16 * 0));
  const w1 = temper(v128.load(words, 32 + 16 * 1));
  const k0 = v128.and(w0, splat(LOW_24));
  const k1 = v128.and(w1, splat(LOW_24));
  const quarters0 = v128.and(i32x4.add(k0, splat(EIGHTH_TURN)), splat(QUARTER_TURNS));
  const quarters1 = v128.and(i32x4.add(k1, splat(EIGHTH_TURN)), splat(QUARTER_TURNS));
  const q0 = f32x4.convert_i32x4_s(quarters0);
  const q1 = f32x4.convert_i32x4_s(quarters1);
  let x0 = f32x4.mul(f32x4.convert_i32x4_s(k0), splat(TWO_PI));
  let x1 = f32x4.mul(f32x4.convert_i32x4_s(k1), splat(TWO_PI));
  x0 = fma(q0, splat(MINUS_HALF_PI), x0);
  x1 = fma(q1, splat(MINUS_HALF_PI), x1);
  x0 = fma(q0, splat(MINUS_HALF_PI + 4), x0);
  x1 = fma(q1, splat(MINUS_HALF_PI + 4), x1);
  x0 = fma(q0, splat(MINUS_HALF_PI + 8), x0);
  x1 = fma(q1, splat(MINUS_HALF_PI + 8), x1);
  const z0 = f32x4.mul(x0, x0);
  const z1 = f32x4.mul(x1, x1);
  let cosine0 = fma(splat(COSINE), z0, splat(COSINE + 4));
  let cosine1 = fma(splat(COSINE), z1, splat(COSINE + 4));
  let sine0 = fma(splat(SINE), z0, splat(SINE + 4));
  let sine1 = fma(splat(SINE), z1, splat(SINE + 4));
  cosine0 = fma(cosine0, z0, splat(COSINE + 8));
  cosine1 = fma(cosine1, z1, splat(COSINE + 8));
  sine0 = fma(sine0, z0, splat(SINE + 8));
  sine1 = fma(sine1, z1, splat(SINE + 8));
  cosine0 = fma(f32x4.mul(cosine0, z0), z0, f32x4.mul(z0, splat(MINUS_HALF)));
  cosine1 = fma(f32x4.mul(cosine1, z1), z1, f32x4.mul(z1, splat(MINUS_HALF)));
  sine0 = fma(f32x4.mul(sine0, z0), x0, x0);
  sine1 = fma(f32x4.mul(sine1, z1), x1, x1);
  cosine0 = f32x4.add(cosine0, splat(ONE));
  cosine1 = f32x4.add(cosine1, splat(ONE));
  const odd0 = i32x4.shl(quarters0, 9);
  const odd1 = i32x4.shl(quarters1, 9);
  const sign0 = v128.and(i32x4.shl(quarters0, 8), splat(SIGN));
  const sign1 = v128.and(i32x4.shl(quarters1, 8), splat(SIGN));
  // A lane's mask is all ones or none, which every engine takes alike.
  const swap0 = i32x4.shr_s(odd0, 31);
  const first0 = v128.xor(i32x4.relaxed_laneselect(sine0, cosine0, swap0), odd0);
  const swap1 = i32x4.shr_s(odd1, 31);
  const first1 = v128.xor(i32x4.relaxed_laneselect(sine1, cosine1, swap1), odd1);
  const second0 = i32x4.relaxed_laneselect(cosine0, sine0, swap0);
  const second1 = i32x4.relaxed_laneselect(cosine1, sine1, swap1);
  const radius0 = v128.xor(v128.load(out, 16 * 0), sign0);
  const radius1 = v128.xor(v128.load(out, 16 * 1), sign1);
  v128.store(out, fma(radius0, first0, splat(ZERO)), 16 * 0);
  v128.store(out, fma(radius1, first1, splat(ZERO)), 16 * 1);
  v128.store(out, fma(radius0, second0, splat(ZERO)), 32 + 16 * 0);
  v128.store(out, fma(radius1, second1, splat(ZERO)), 32 + 16 * 1);
}

/** `blocks` (1 to BATCH) times 16 normals from as many times 16 raw words. */
export function normals(words: usize, out: usize, blocks: u32): void {
  const bytes = <usize>blocks << 6;
  for (let block: usize = 0; block < bytes; block += 64) radii(words + block, out + block);
  for (let block: usize = 0; block < bytes; block += 64) rotate(words + block, out + block);
}
