// Normal draws, bit for bit those of torch.randn on an x86-64 CPU with AVX2.
//
// Blocks of 16: normal_fill_16_AVX2 (aten/src/ATen/native/cpu/DistributionTemplates.h) over avx_mathfun.h.
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
import { cosTurned, log } from './elementary';
import { HAS_NORMAL, NORMAL, take, temper } from './mt19937';
import { uniformDouble } from './uniform';

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
const LOG_IN_A_END: usize = LOG_IN_A + 5 * 8;
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

// What four pairs keep between the steps. Most of it is read back widened, two lanes at a time.
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
const PAIRS = memory.data(320, 16);

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

/** Four pairs of raw words to a, its logarithm's first steps, and x. */
// @ts-ignore: decorator
@inline
function reduce(first: v128, second: v128, pairs: usize): void {
  // -2^24 u1, and the bits of its m and e apart.
  const u = f32x4.convert_i32x4_s(v128.or(temper(first), splat32(MINUS_2_24)));
  const exponent = v128.and(i32x4.sub(u, splat32(SQRT_HALF)), splat32(EXPONENT));
  const a = f32x4.add(i32x4.sub(u, exponent), splat32(ONE));
  const e = f32x4.convert_i32x4_s(i32x4.sub(exponent, splat32(EXPONENT_OF_2_24)));
  const b = f32x4.add(a, splat32(SHIFT));
  let y = f32x4.add(f32x4.mul(splat32(LOG_IN_B), b), splat32(LOG_IN_B + 4));
  y = f32x4.add(f32x4.mul(y, b), splat32(LOG_IN_B + 8));
  v128.store(pairs, a, A);
  v128.store(pairs, f32x4.mul(a, a), A_SQUARED);
  v128.store(pairs, e, E);
  v128.store(pairs, f32x4.mul(e, splat32(LN2_LOW)), E_LOW);
  v128.store(pairs, y, Y);

  const k = v128.and(temper(second), splat32(LOW_24));
  const quarters = v128.and(i32x4.add(k, splat32(EIGHTH_TURN)), splat32(QUARTER_TURNS));
  const q = f32x4.convert_i32x4_s(quarters);
  let x = f32x4.mul(f32x4.convert_i32x4_s(k), splat32(TWO_PI));
  x = f32x4.add(x, f32x4.mul(q, splat32(MINUS_HALF_PI)));
  x = f32x4.add(x, f32x4.mul(q, splat32(MINUS_HALF_PI + 4)));
  x = f32x4.add(x, f32x4.mul(q, splat32(MINUS_HALF_PI + 8)));
  v128.store(pairs, x, X);
  v128.store(pairs, f32x4.mul(x, x), X_SQUARED);
  v128.store(pairs, quarters, QUARTERS);
}

/** The radii of four pairs, from P(a) but for its last step. */
// @ts-ignore: decorator
@inline
function radii(pairs: usize, low: v128, high: v128): v128 {
  const a = v128.load(pairs, A);
  const twice = f32x4.add(a, a);
  const last = splat64(LOG_LAST);
  const p = lowWords(mulAdd(low, wide(pairs + A), last), mulAdd(high, wide(pairs + A + 8), last));
  v128.store(pairs, f32x4.mul(p, twice), Y);
  const y = narrow(
    mulAdd(wide(pairs + Y), wide(pairs + A_SQUARED), wide(pairs + E_LOW)),
    mulAdd(wide(pairs + Y + 8), wide(pairs + A_SQUARED + 8), wide(pairs + E_LOW + 8)),
  );
  const log = f32x4.add(twice, f32x4.add(y, v128.load(pairs, A_SQUARED)));
  return f32x4.sqrt(f32x4.add(log, f32x4.mul(v128.load(pairs, E), splat32(LN2_HIGH))));
}

/** Four pairs of normals: radius times cosine to `out`, radius times sine 32 bytes on. */
// @ts-ignore: decorator
@inline
function rotate(pairs: usize, radius: v128, out: usize): void {
  const z = v128.load(pairs, X_SQUARED);
  const low = wide(pairs + X_SQUARED);
  const high = wide(pairs + X_SQUARED + 8);
  v128.store(pairs, f32x4.mul(lowWords(quadratic(low, COSINE), quadratic(high, COSINE)), z), COS_TERM);
  v128.store(pairs, f32x4.mul(lowWords(quadratic(low, SINE), quadratic(high, SINE)), z), SIN_TERM);
  const half = splat64(HALF_F64);
  const lessThanOne = narrow(
    f64x2.mul(f64x2.sub(wide(pairs + COS_TERM), half), low),
    f64x2.mul(f64x2.sub(wide(pairs + COS_TERM + 8), half), high),
  );
  const cosine = f32x4.add(lessThanOne, splat32(ONE));
  const one = splat64(ONE_F64);
  const sine = narrow(
    f64x2.mul(f64x2.sub(one, wide(pairs + SIN_TERM)), wide(pairs + X)),
    f64x2.mul(f64x2.sub(one, wide(pairs + SIN_TERM + 8)), wide(pairs + X + 8)),
  );

  // Bit 0 of q (here bit 22) swaps the two and flips the cosine's sign, bit 1 flips both signs. The zero added last makes
  // -0 of a radius of 0 into the +0 that torch gives.
  const quarters = v128.load(pairs, QUARTERS);
  const odd = i32x4.shl(quarters, 9);
  const sign = v128.and(i32x4.shl(quarters, 8), splat32(SIGN));
  const difference = v128.and(v128.xor(cosine, sine), i32x4.shr_s(odd, 31));
  const c = v128.xor(v128.xor(cosine, difference), v128.xor(sign, odd));
  const s = v128.xor(v128.xor(sine, difference), sign);
  v128.store(out, f32x4.add(f32x4.mul(radius, c), splat32(ZERO)));
  v128.store(out, f32x4.add(f32x4.mul(radius, s), splat32(ZERO)), 32);
}

/** `blocks` times 16 normals, 16 fresh words each. */
export function randnBlocks(state: usize, out: usize, blocks: u32): void {
  const other = PAIRS + PAIRS_BYTES;
  while (blocks) {
    const words = take(state, 16);
    reduce(v128.load(words), v128.load(words, 32), PAIRS);
    reduce(v128.load(words, 16), v128.load(words, 48), other);

    // The fused steps of P(a), the longest chain of all: four at a time hide one another's latency.
    const a0 = wide(PAIRS + A);
    const a1 = wide(PAIRS + A + 8);
    const a2 = wide(other + A);
    const a3 = wide(other + A + 8);
    let y0 = wide(PAIRS + Y);
    let y1 = wide(PAIRS + Y + 8);
    let y2 = wide(other + Y);
    let y3 = wide(other + Y + 8);
    let constant: usize = LOG_IN_A;
    do {
      const c = splat64(constant);
      y0 = fma(y0, a0, c);
      y1 = fma(y1, a1, c);
      y2 = fma(y2, a2, c);
      y3 = fma(y3, a3, c);
      constant += 8;
    } while (constant < LOG_IN_A_END);

    rotate(PAIRS, radii(PAIRS, y0, y1), out);
    rotate(other, radii(other, y2, y3), out + 16);
    out += 64;
    blocks--;
  }
}

/** Uses up `count` words: the uniforms that torch fills a tail with and then draws over. */
export function skip(state: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) take(state, 1);
}

/**
 * `n` normals one by one, in double precision: at::normal_distribution<double>, which torch uses for fewer than 16.
 * The second of a pair waits in the generator until it is asked for.
 */
export function randnSerial(state: usize, out: usize, n: u32): void {
  const end = out + (<usize>n << 2);
  while (out < end) {
    let value: f64;
    if (load<u32>(state, HAS_NORMAL)) {
      value = load<f64>(state, NORMAL);
      store<u32>(state, 0, HAS_NORMAL);
    } else {
      const theta = 2 * Math.PI * uniformDouble(state);
      const radius = Math.sqrt(-2 * log(1 - uniformDouble(state))); // torch's log1p(-u2): 1 - u2 is exact
      value = radius * cosTurned(theta, 0);
      store<f64>(state, radius * cosTurned(theta, 3), NORMAL);
      store<u32>(state, 1, HAS_NORMAL);
    }
    store<f32>(out, <f32>(value + 0)); // no -0
    out += 4;
  }
}
