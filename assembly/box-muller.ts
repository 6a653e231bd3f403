// Box-Muller in single precision, bit for bit as torch's blocks of 16 on an x86-64 CPU with AVX2: normal_fill_16_AVX2
// (aten/src/ATen/native/cpu/DistributionTemplates.h) over avx_mathfun.h.
//
//   words     w0  .. w7          w8  .. w15
//   uniforms  x0  .. x7          x8  .. x15
//   u1 = 1 - x_j, u2 = x_(j+8);  r = sqrt(-2 log u1), theta = 2 pi u2
//   out       r cos theta        r sin theta
//
// torch's log, sin and cos are S. Moshier's Cephes polynomials in single precision with a fused multiply-add in certain
// places; WebAssembly has none. The product of two f32 is exact in f64, so the fused steps run in f64 lanes, each sum
// rounded to the 24 bits of an f32. What that costs decides the speed (x86 micro-operations, for two lanes):
//
//   and + add of integers   2  half a unit of the 24th bit added to the bit pattern, the rest cut off (`fma`)
//   a constant, - grid      1  where all sums share a binade: c + 3 * 2^k makes the addition itself round (`quadratic`)
//   a constant, low words   1  (for four) the same, k and c chosen so that the low 32 bits are the f32 (`lowWords`)
//   demote                  2  where nothing else is exact
//
// None of this, nor the other liberties noted below, changes a bit: the inputs are 24-bit integers, and on all 2^24 radii
// and all 2^24 angles the results equal torch's: test/parity/sweep.py, 0 and 0 mismatches (torch 1.13.0, AVX2).
//
// A batch of blocks passes through five short loops, not through one long one: a chain of dependent operations is longer
// than a processor looks ahead, so that what fills the time must stand close by. (A fourth-generation EPYC: 3.5 ns a
// sample in one loop, 2.8 in five.)
import { temper } from './mt19937';

// Constants live in memory: on x86 a splat from there runs on a load port, an immediate on the ports of the arithmetic.

const ZERO = memory.data<f32>([0]);
const ONE = memory.data<f32>([1]);

// Radius. With -u1 = -m * 2^e, m in [sqrt(1/2), sqrt(2)), and a = 1 - m, torch's log times -2, exactly:
//   (2a + (2y + a^2)) - 2 log(2)_high * e,  2y = fma(2a * P(a), a^2, -2 log(2)_low * e)
// P(a) has degree 8. Its first two steps are plain f32: the polynomial was moved to b = a + shift, and the shift and the
// coefficients were searched for until no radius changed. e comes as a multiple of 2^23, still in its place.
const MINUS_2_24 = memory.data<u32>([0xff000000]);
const SQRT_HALF = memory.data<u32>([0x3f3504f3]);
const EXPONENT = memory.data<u32>([0x7f800000]);
const EXPONENT_OF_2_24 = memory.data<u32>([24 << 23]);
const SHIFT = memory.data<f32>([0.217917517]);
const LOG_IN_B = memory.data<f32>([0.0703768432, 0.0844734162, 0.0950196907]);
const LOG_IN_A = memory.data<f64>([
  0.12420140951871872, 0.14249323308467865, 0.16668057441711426, 0.2000071406364441, 0.24999994039535522,
]);
const LOG_LAST = memory.data<f64>([201326623 + 0.3333333134651184]); // P in [1/4, 1/2)
const LN2_LOW = memory.data<f32>([4.2438888e-4 / 8388608]);
const LN2_HIGH = memory.data<f32>([-1.38671875 / 8388608]);

// Angle. k = 2^24 u2; q counts quarter turns, as a multiple of 2^22; x = theta - q * pi / 2 in three parts, of which the
// last two share the bits of pi another way than Cephes: that makes all products exact, so no step needs to be fused.
// Cosine: 1 + x^2 * (x^2 * C(x^2) - 1/2). Sine: x * (1 - x^2 * S(x^2)). For C and S: c0, c1 + grid, grid, c2 + bits.
const LOW_24 = memory.data<u32>([0xffffff]);
const EIGHTH_TURN = memory.data<u32>([1 << 21]);
const QUARTER_TURNS = memory.data<u32>([7 << 22]);
const TWO_PI = memory.data<f32>([6.2831855 / 16777216]);
const MINUS_HALF_PI = memory.data<f32>([
  -1.5703125 / 4194304, -4.838109016418457e-4 / 4194304, -1.58932565e-8 / 4194304,
]);
const COSINE = memory.data<f64>([
  2.44331567955669e-5, 786432 - 0.0013887316454201937, 786432, 25165827.78125 + 0.04166664555668831,
]);
const SINE = memory.data<f64>([
  1.9515295571181923e-4, 6291456 - 0.008332161232829094, 6291456, 100663311.375 + 0.16666655242443085,
]);
const HALF_F64 = memory.data<f64>([0.5]);
const ONE_F64 = memory.data<f64>([1]);
const SIGN = memory.data<u32>([0x80000000]);

const ROUND_24 = memory.data<i64>([0x0fffffff, 0xffffffffe0000000]);

// What four pairs keep from one loop to the next. Most of it is read back widened, two lanes at a time.
const A: usize = 0;
const A_SQUARED: usize = 16;
const E: usize = 32;
const E_LOW: usize = 48;
const Y: usize = 64;
const X: usize = 80;
const X_SQUARED: usize = 96;
const QUARTERS: usize = 112;
const COS_TERM: usize = 128;
const SIN_TERM: usize = 144;
const PAIRS_BYTES: usize = 160;
/** In the place of a, which is no longer needed then. */
const RADIUS: usize = A;

/** Blocks of a batch: a third of the 39 that MT19937 gives at a time. */
export const BATCH: u32 = 13;
const BLOCK_BYTES: usize = 2 * PAIRS_BYTES;
const BLOCKS = memory.data(4160, 16); // BATCH * BLOCK_BYTES

// @ts-ignore: decorator
@inline
function splat32(address: usize): v128 {
  return v128.load32_splat(address);
}

// @ts-ignore: decorator
@inline
function splat64(address: usize): v128 {
  return v128.load64_splat(address);
}

/** Two f32 from memory, widened. */
// @ts-ignore: decorator
@inline
function wide(address: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(address));
}

/** Four f32 lanes from f64 lanes, rounded. */
// @ts-ignore: decorator
@inline
function narrow(low: v128, high: v128): v128 {
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

/** Four f32 lanes from the low words of f64 lanes. */
// @ts-ignore: decorator
@inline
function lowWords(low: v128, high: v128): v128 {
  return v128.shuffle<i32>(low, high, 0, 2, 4, 6);
}

// @ts-ignore: decorator
@inline
function mulAdd(a: v128, b: v128, c: v128): v128 {
  return f64x2.add(f64x2.mul(a, b), c);
}

/** a * b + c in f64 lanes, rounded to 24 bits: to nearest, ties towards zero. */
// @ts-ignore: decorator
@inline
function fma(a: v128, b: v128, c: v128): v128 {
  return v128.and(i64x2.add(mulAdd(a, b, c), splat64(ROUND_24)), splat64(ROUND_24 + 8));
}

/** C or S of `z`; each result's low word is its f32. */
// @ts-ignore: decorator
@inline
function quadratic(z: v128, constants: usize): v128 {
  const linear = f64x2.sub(mulAdd(splat64(constants), z, splat64(constants + 8)), splat64(constants + 16));
  return mulAdd(linear, z, splat64(constants + 24));
}

/** 2x. */
// @ts-ignore: decorator
@inline
function twice(x: v128): v128 {
  return f32x4.add(x, x);
}

/** 8 tempered words to a and the first steps of its logarithm. */
// @ts-ignore: decorator
@inline
function reduceRadii(w0: v128, w1: v128, block: usize): void {
  const other = block + PAIRS_BYTES;
  // -2^24 u1, and the bits of its m and e apart.
  const u0 = f32x4.convert_i32x4_s(v128.or(w0, splat32(MINUS_2_24)));
  const u1 = f32x4.convert_i32x4_s(v128.or(w1, splat32(MINUS_2_24)));
  const exponent0 = v128.and(i32x4.sub(u0, splat32(SQRT_HALF)), splat32(EXPONENT));
  const exponent1 = v128.and(i32x4.sub(u1, splat32(SQRT_HALF)), splat32(EXPONENT));
  const a0 = f32x4.add(i32x4.sub(u0, exponent0), splat32(ONE));
  const a1 = f32x4.add(i32x4.sub(u1, exponent1), splat32(ONE));
  const e0 = f32x4.convert_i32x4_s(i32x4.sub(exponent0, splat32(EXPONENT_OF_2_24)));
  const e1 = f32x4.convert_i32x4_s(i32x4.sub(exponent1, splat32(EXPONENT_OF_2_24)));
  const b0 = f32x4.add(a0, splat32(SHIFT));
  const b1 = f32x4.add(a1, splat32(SHIFT));
  let y0 = f32x4.add(f32x4.mul(splat32(LOG_IN_B), b0), splat32(LOG_IN_B + 4));
  let y1 = f32x4.add(f32x4.mul(splat32(LOG_IN_B), b1), splat32(LOG_IN_B + 4));
  y0 = f32x4.add(f32x4.mul(y0, b0), splat32(LOG_IN_B + 8));
  y1 = f32x4.add(f32x4.mul(y1, b1), splat32(LOG_IN_B + 8));
  v128.store(block, a0, A);
  v128.store(other, a1, A);
  v128.store(block, f32x4.mul(a0, a0), A_SQUARED);
  v128.store(other, f32x4.mul(a1, a1), A_SQUARED);
  v128.store(block, e0, E);
  v128.store(other, e1, E);
  v128.store(block, f32x4.mul(e0, splat32(LN2_LOW)), E_LOW);
  v128.store(other, f32x4.mul(e1, splat32(LN2_LOW)), E_LOW);
  v128.store(block, y0, Y);
  v128.store(other, y1, Y);
}

/** 8 tempered words to x. */
// @ts-ignore: decorator
@inline
function reduceAngles(w0: v128, w1: v128, block: usize): void {
  const other = block + PAIRS_BYTES;
  const k0 = v128.and(w0, splat32(LOW_24));
  const k1 = v128.and(w1, splat32(LOW_24));
  const quarters0 = v128.and(i32x4.add(k0, splat32(EIGHTH_TURN)), splat32(QUARTER_TURNS));
  const quarters1 = v128.and(i32x4.add(k1, splat32(EIGHTH_TURN)), splat32(QUARTER_TURNS));
  const q0 = f32x4.convert_i32x4_s(quarters0);
  const q1 = f32x4.convert_i32x4_s(quarters1);
  let x0 = f32x4.mul(f32x4.convert_i32x4_s(k0), splat32(TWO_PI));
  let x1 = f32x4.mul(f32x4.convert_i32x4_s(k1), splat32(TWO_PI));
  x0 = f32x4.add(x0, f32x4.mul(q0, splat32(MINUS_HALF_PI)));
  x1 = f32x4.add(x1, f32x4.mul(q1, splat32(MINUS_HALF_PI)));
  x0 = f32x4.add(x0, f32x4.mul(q0, splat32(MINUS_HALF_PI + 4)));
  x1 = f32x4.add(x1, f32x4.mul(q1, splat32(MINUS_HALF_PI + 4)));
  x0 = f32x4.add(x0, f32x4.mul(q0, splat32(MINUS_HALF_PI + 8)));
  x1 = f32x4.add(x1, f32x4.mul(q1, splat32(MINUS_HALF_PI + 8)));
  v128.store(block, x0, X);
  v128.store(other, x1, X);
  v128.store(block, f32x4.mul(x0, x0), X_SQUARED);
  v128.store(other, f32x4.mul(x1, x1), X_SQUARED);
  v128.store(block, quarters0, QUARTERS);
  v128.store(other, quarters1, QUARTERS);
}

/** The fused steps of P(a) for 8 pairs, the longest chain of all. Leaves 2a * P(a). */
// @ts-ignore: decorator
@inline
function logarithms(block: usize): void {
  const other = block + PAIRS_BYTES;
  const a0 = wide(block + A);
  const a1 = wide(block + A + 8);
  const a2 = wide(other + A);
  const a3 = wide(other + A + 8);
  let y0 = wide(block + Y);
  let y1 = wide(block + Y + 8);
  let y2 = wide(other + Y);
  let y3 = wide(other + Y + 8);
  const c0 = splat64(LOG_IN_A);
  y0 = fma(y0, a0, c0);
  y1 = fma(y1, a1, c0);
  y2 = fma(y2, a2, c0);
  y3 = fma(y3, a3, c0);
  const c1 = splat64(LOG_IN_A + 8);
  y0 = fma(y0, a0, c1);
  y1 = fma(y1, a1, c1);
  y2 = fma(y2, a2, c1);
  y3 = fma(y3, a3, c1);
  const c2 = splat64(LOG_IN_A + 16);
  y0 = fma(y0, a0, c2);
  y1 = fma(y1, a1, c2);
  y2 = fma(y2, a2, c2);
  y3 = fma(y3, a3, c2);
  const c3 = splat64(LOG_IN_A + 24);
  y0 = fma(y0, a0, c3);
  y1 = fma(y1, a1, c3);
  y2 = fma(y2, a2, c3);
  y3 = fma(y3, a3, c3);
  const c4 = splat64(LOG_IN_A + 32);
  y0 = fma(y0, a0, c4);
  y1 = fma(y1, a1, c4);
  y2 = fma(y2, a2, c4);
  y3 = fma(y3, a3, c4);
  const last = splat64(LOG_LAST);
  const first4 = lowWords(mulAdd(y0, a0, last), mulAdd(y1, a1, last));
  const last4 = lowWords(mulAdd(y2, a2, last), mulAdd(y3, a3, last));
  v128.store(block, f32x4.mul(first4, twice(v128.load(block, A))), Y);
  v128.store(other, f32x4.mul(last4, twice(v128.load(other, A))), Y);
}

/** The radii of four pairs. */
// @ts-ignore: decorator
@inline
function radii(pairs: usize): void {
  const y = narrow(
    mulAdd(wide(pairs + Y), wide(pairs + A_SQUARED), wide(pairs + E_LOW)),
    mulAdd(wide(pairs + Y + 8), wide(pairs + A_SQUARED + 8), wide(pairs + E_LOW + 8)),
  );
  const log = f32x4.add(twice(v128.load(pairs, A)), f32x4.add(y, v128.load(pairs, A_SQUARED)));
  const radius = f32x4.sqrt(f32x4.add(log, f32x4.mul(v128.load(pairs, E), splat32(LN2_HIGH))));
  v128.store(pairs, radius, RADIUS);
}

/** x^2 * C(x^2) and x^2 * S(x^2) of eight pairs. */
// @ts-ignore: decorator
@inline
function polynomials(block: usize): void {
  const other = block + PAIRS_BYTES;
  const z0 = wide(block + X_SQUARED);
  const z1 = wide(block + X_SQUARED + 8);
  const z2 = wide(other + X_SQUARED);
  const z3 = wide(other + X_SQUARED + 8);
  const c0 = quadratic(z0, COSINE);
  const c1 = quadratic(z1, COSINE);
  const c2 = quadratic(z2, COSINE);
  const c3 = quadratic(z3, COSINE);
  const s0 = quadratic(z0, SINE);
  const s1 = quadratic(z1, SINE);
  const s2 = quadratic(z2, SINE);
  const s3 = quadratic(z3, SINE);
  v128.store(block, f32x4.mul(lowWords(c0, c1), v128.load(block, X_SQUARED)), COS_TERM);
  v128.store(block, f32x4.mul(lowWords(s0, s1), v128.load(block, X_SQUARED)), SIN_TERM);
  v128.store(other, f32x4.mul(lowWords(c2, c3), v128.load(other, X_SQUARED)), COS_TERM);
  v128.store(other, f32x4.mul(lowWords(s2, s3), v128.load(other, X_SQUARED)), SIN_TERM);
}

/** Four pairs of normals: radius times cosine to `out`, radius times sine 32 bytes on. */
// @ts-ignore: decorator
@inline
function rotate(pairs: usize, out: usize): void {
  const half = splat64(HALF_F64);
  const lessThanOne = narrow(
    f64x2.mul(f64x2.sub(wide(pairs + COS_TERM), half), wide(pairs + X_SQUARED)),
    f64x2.mul(f64x2.sub(wide(pairs + COS_TERM + 8), half), wide(pairs + X_SQUARED + 8)),
  );
  const cosine = f32x4.add(lessThanOne, splat32(ONE));
  const one = splat64(ONE_F64);
  const sine = narrow(
    f64x2.mul(f64x2.sub(one, wide(pairs + SIN_TERM)), wide(pairs + X)),
    f64x2.mul(f64x2.sub(one, wide(pairs + SIN_TERM + 8)), wide(pairs + X + 8)),
  );

  // Bit 0 of q (here bit 22) swaps the two and flips the cosine's sign, bit 1 flips both signs, so that the radius takes it.
  // The zero added last makes -0 of a radius of 0 into the +0 that torch gives.
  const quarters = v128.load(pairs, QUARTERS);
  const odd = i32x4.shl(quarters, 9);
  const sign = v128.and(i32x4.shl(quarters, 8), splat32(SIGN));
  const difference = v128.and(v128.xor(cosine, sine), i32x4.shr_s(odd, 31));
  const c = v128.xor(v128.xor(cosine, difference), odd);
  const s = v128.xor(sine, difference);
  const radius = v128.xor(v128.load(pairs, RADIUS), sign);
  v128.store(out, f32x4.add(f32x4.mul(radius, c), splat32(ZERO)));
  v128.store(out, f32x4.add(f32x4.mul(radius, s), splat32(ZERO)), 32);
}

/** `blocks` (1 to BATCH) times 16 normals from as many times 16 raw words. */
export function normals(words: usize, out: usize, blocks: u32): void {
  const end = BLOCKS + <usize>blocks * BLOCK_BYTES;
  for (let block = BLOCKS; block < end; block += BLOCK_BYTES) {
    const w0 = temper(v128.load(words));
    const w1 = temper(v128.load(words, 16));
    const w2 = temper(v128.load(words, 32));
    const w3 = temper(v128.load(words, 48));
    reduceRadii(w0, w1, block);
    reduceAngles(w2, w3, block);
    words += 64;
  }
  for (let block = BLOCKS; block < end; block += BLOCK_BYTES) logarithms(block);
  for (let pairs = BLOCKS; pairs < end; pairs += PAIRS_BYTES) radii(pairs);
  for (let block = BLOCKS; block < end; block += BLOCK_BYTES) polynomials(block);
  for (let block = BLOCKS; block < end; block += BLOCK_BYTES) {
    rotate(block, out);
    rotate(block + PAIRS_BYTES, out + 16);
    out += 64;
  }
}
