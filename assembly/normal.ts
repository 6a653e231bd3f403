// Normal draws, bit for bit those of torch.randn on an x86-64 CPU with AVX2.
//
// Blocks of 16: normal_fill_16_AVX2 (aten/src/ATen/native/cpu/DistributionTemplates.h) over avx_mathfun.h.
//
//   words     w0  .. w7          w8  .. w15
//   uniforms  x0  .. x7          x8  .. x15
//   u1 = 1 - x_j, u2 = x_(j+8);  r = sqrt(-2 log u1), theta = 2 pi u2
//   out       r cos theta        r sin theta
//
// log, sin and cos are S. Moshier's Cephes polynomials in single precision, with each fused multiply-add where the AVX2
// build has one and nowhere else: moving one changes the last bit of 1 sample in 10 to 10,000.
import { HAS_NORMAL, NORMAL, settle, take } from './mt19937';
import { uniformDouble, uniforms } from './uniform';

// A fused multiply-add of f32 lanes with WebAssembly's plain operations: the product of two f32 is exact in f64, the sum is
// rounded to f64 and then to f32. The second rounding is the costly one (demote and promote are two micro-operations
// each on x86), so a Horner chain stays in f64 registers and rounds there:
//
//   roundAny    adds half a unit of the f32's last place to the bits and cuts the rest off: nearest, ties away from zero
//   fixed-point where all results share a binade, c + 3 * 2^k is the addend: the sum itself rounds on the f32 grid
//
// Neither a tie nor the double rounding ever shows: all 2^24 radii and all 2^24 angles have been compared with torch
// (test/parity/sweep.py).

// The f32 coefficients, widened, and f64 bit patterns. They are loaded where they are used: on x86 a splat from memory is
// one micro-operation on a load port, an immediate v128 several on the ports that the arithmetic needs.
const F64 = memory.data<f64>(
  [
    0.5,
    // log: y0 .. y7, then y8 + C and C (the last sum lies in [1/4, 1/2))
    0.07037683576345444, -0.11514610052108765, 0.11676998436450958, -0.12420140951871872, 0.14249323308467865,
    -0.16668057441711426, 0.2000071406364441, -0.24999994039535522, 201326592.3333333, 201326592,
    // cosine: y0, y1 + C, C, y2 + C, C
    0.0000244331567955669, 786431.9986112684, 786432, 25165824.041666646, 25165824,
    // sine: w0, w1 + C, C, w2 + C, C
    -0.00019515295571181923, 6291456.008332161, 6291456, 100663295.83333345, 100663296,
    // the third part of -pi/4
    -3.774895063202166e-8,
  ],
  16,
);
const LOG: usize = 8;
const COS: usize = 88;
const SIN: usize = 128;
const PI3: usize = 168;
const BITS = memory.data<i64>([0x0fffffff, 0xffffffffe0000000], 16);
const K = memory.data<u32>([0x3f800000, 0x7e, 0x7fffff, 0x3f000000, 0x3f3504f3, 0xb95e8083, 0x3f000000, 0x3f318000, 0x0, 0xc0000000, 0x40c90fdb, 0x3fa2f983, 0x4b000000, 0x1, 0xe, 0xbf490000, 0xb97da000, 0x2], 16);
const I32 = memory.data<i32>([0x80000000, 0xffffff], 16);

// @ts-ignore: decorator
@inline
function f64At(offset: usize): v128 {
  return v128.load64_splat(F64 + offset);
}

// @ts-ignore: decorator
@inline
function low(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

// @ts-ignore: decorator
@inline
function high(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3));
}

/** Four f32 lanes from f64 lanes, rounded. */
// @ts-ignore: decorator
@inline
function join(low: v128, high: v128): v128 {
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

/** f64 lanes rounded to 24 bits. */
// @ts-ignore: decorator
@inline
function roundAny(t: v128): v128 {
  return v128.and(i64x2.add(t, v128.load64_splat(BITS)), v128.load64_splat(BITS + 8));
}

/** The same by conversion, ties to even. */
// @ts-ignore: decorator
@inline
function roundEven(t: v128): v128 {
  return f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(t));
}

/** a * b + c, rounded to f32 but left in f64 lanes. */
// @ts-ignore: decorator
@inline
function fma(a: v128, b: v128, c: v128): v128 {
  return roundAny(f64x2.add(f64x2.mul(a, b), c));
}

/** The same where `c` carries the 3 * 2^k that rounds: two operations, and truly fused. */
// @ts-ignore: decorator
@inline
function fmaFixed(a: v128, b: v128, magic: usize): v128 {
  return f64x2.sub(f64x2.add(f64x2.mul(a, b), f64At(magic)), f64At(magic + 8));
}

/** The log polynomial y(m) * m: eight fused steps and one plain product. */
// @ts-ignore: decorator
@inline
function logPolynomial(m: v128): v128 {
  let y = fma(f64At(LOG), m, f64At(LOG + 8));
  y = fma(y, m, f64At(LOG + 16));
  y = fma(y, m, f64At(LOG + 24));
  y = fma(y, m, f64At(LOG + 32));
  y = fma(y, m, f64At(LOG + 40));
  y = fma(y, m, f64At(LOG + 48));
  y = fma(y, m, f64At(LOG + 56));
  y = fmaFixed(y, m, LOG + 64);
  return roundEven(f64x2.mul(y, m));
}

/** Natural logarithm of four normal f32 in (0, 1]. */
// @ts-ignore: decorator
@inline
function log(x: v128): v128 {
  const one = v128.load32_splat(K + 0);
  // x = m * 2^e with m in [sqrt(1/2) - 1, sqrt(2) - 1) once 1 is taken off.
  let exponent = i32x4.sub(i32x4.shr_u(x, 23), v128.load32_splat(K + 4));
  let m = v128.or(v128.and(x, v128.load32_splat(K + 8)), v128.load32_splat(K + 12));
  const small = f32x4.lt(m, v128.load32_splat(K + 16));
  exponent = i32x4.add(exponent, small);
  m = f32x4.add(f32x4.sub(m, one), v128.and(m, small));
  const e = f32x4.convert_i32x4_s(exponent);
  const z = f32x4.mul(m, m);
  const tail = f32x4.mul(e, v128.load32_splat(K + 20));
  const yLow = f64x2.add(f64x2.mul(logPolynomial(low(m)), low(z)), low(tail));
  const yHigh = f64x2.add(f64x2.mul(logPolynomial(high(m)), high(z)), high(tail));
  const y = f32x4.sub(join(yLow, yHigh), f32x4.mul(z, v128.load32_splat(K + 24)));
  return f32x4.add(f32x4.add(m, y), f32x4.mul(e, v128.load32_splat(K + 28)));
}

/** The cosine polynomial up to, not with, the final + 1: fma(y * z, z, -z/2). */
// @ts-ignore: decorator
@inline
function cosPolynomial(z: v128): v128 {
  let y = fmaFixed(f64At(COS), z, COS + 8);
  y = fmaFixed(y, z, COS + 24);
  y = roundAny(f64x2.mul(y, z));
  return f64x2.sub(f64x2.mul(y, z), f64x2.mul(z, f64At(0)));
}

/** The sine polynomial: fma(w * z, x, x). */
// @ts-ignore: decorator
@inline
function sinPolynomial(x: v128, z: v128): v128 {
  let w = fmaFixed(f64At(SIN), z, SIN + 8);
  w = fmaFixed(w, z, SIN + 24);
  w = roundAny(f64x2.mul(w, z));
  return f64x2.add(f64x2.mul(w, x), x);
}

/** Four pairs from four u1 in (0, 1] and four u2 in [0, 1): cosines to `out`, sines 32 bytes on. */
// @ts-ignore: decorator
@inline
function boxMuller(u1: v128, u2: v128, out: usize): void {
  const zero = v128.load32_splat(K + 32);
  const radius = f32x4.sqrt(f32x4.mul(v128.load32_splat(K + 36), log(u1)));
  const theta = f32x4.mul(v128.load32_splat(K + 40), u2);

  // theta lies in [0, 2 pi): its octant, made even, is 0, 2, 4, 6 or 8. Adding 2^23 leaves an integer in the low bits.
  const octant = f32x4.floor(f32x4.mul(theta, v128.load32_splat(K + 44)));
  let j = i32x4.add(f32x4.add(octant, v128.load32_splat(K + 48)), v128.load32_splat(K + 52));
  j = v128.and(j, v128.load32_splat(K + 56));
  const jf = f32x4.convert_i32x4_s(j);

  // Three-part reduction by pi/4, the last part fused.
  let x = f32x4.add(theta, f32x4.mul(jf, v128.load32_splat(K + 60)));
  x = f32x4.add(x, f32x4.mul(jf, v128.load32_splat(K + 64)));
  const third = f64At(PI3);
  const xLow = fma(low(jf), third, low(x));
  const xHigh = fma(high(jf), third, high(x));
  const zLow = roundAny(f64x2.mul(xLow, xLow));
  const zHigh = roundAny(f64x2.mul(xHigh, xHigh));
  const cosine = f32x4.add(join(cosPolynomial(zLow), cosPolynomial(zHigh)), v128.load32_splat(K + 0));
  const sine = join(sinPolynomial(xLow, zLow), sinPolynomial(xHigh, zHigh));

  // Bit 1 of j swaps the two; bit 2 of j is the sine's sign, bit 2 of j + 2 the cosine's.
  const sign = v128.load32_splat(I32);
  const swap = i32x4.shr_s(i32x4.shl(j, 30), 31);
  const difference = v128.and(v128.xor(cosine, sine), swap);
  const sineSign = v128.and(i32x4.shl(j, 29), sign);
  const cosineSign = v128.and(i32x4.shl(i32x4.add(j, v128.load32_splat(K + 68)), 29), sign);
  const c = v128.xor(v128.xor(cosine, difference), cosineSign);
  const s = v128.xor(v128.xor(sine, difference), sineSign);
  v128.store(out, f32x4.add(f32x4.mul(radius, c), zero));
  v128.store(out, f32x4.add(f32x4.mul(radius, s), zero), 32);
}

/** `blocks` times 16 normals, 16 fresh words each. */
export function randnBlocks(state: usize, out: usize, blocks: u32): void {
  const one = f32x4.splat(1);
  while (blocks) {
    const words = take(state, 16);
    boxMuller(f32x4.sub(one, uniforms(v128.load(words))), uniforms(v128.load(words, 32)), out);
    boxMuller(f32x4.sub(one, uniforms(v128.load(words, 16))), uniforms(v128.load(words, 48)), out + 16);
    out += 64;
    blocks--;
  }
  settle(state);
}

/** Uses up `count` words: the uniforms that torch fills a tail with and then draws over. */
export function skip(state: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) take(state, 1);
  settle(state);
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
      const u1 = uniformDouble(state);
      const u2 = uniformDouble(state);
      const radius = Math.sqrt(-2 * Math.log1p(-u2));
      const theta = 2 * Math.PI * u1;
      value = radius * Math.cos(theta);
      store<f64>(state, radius * Math.sin(theta), NORMAL);
      store<u32>(state, 1, HAS_NORMAL);
    }
    store<f32>(out, <f32>(value + 0));
    out += 4;
  }
  settle(state);
}
