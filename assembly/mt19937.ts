// MT19937, the generator behind torch's CPU draws.
// M. Matsumoto and T. Nishimura, "Mersenne Twister" (ACM TOMACS 8, 1998); ATen/core/MT19937RNGEngine.h.
//
// A generator is one block of memory, owned by the caller:
//
//   offset  bytes  field
//        0      4  next       words of this block already used, 0..624 (0: freshly seeded, twist before use)
//        4      4  hasNormal  1 while `normal` holds the unused half of a Box-Muller pair
//        8      8  normal     f64
//       16   2496  words      the 624 words of the current block, untempered
//     2512     16  overlap    scratch: the first four words again, written by `twist`
//     2528    128  seam       scratch: up to 16 words that two blocks share, the last of one and the first of the next

export const NEXT: usize = 0;
export const HAS_NORMAL: usize = 4;
export const NORMAL: usize = 8;
export const WORDS: usize = 16;
const BLOCK_BYTES: usize = 624 * 4;
const SEAM: usize = 2528;

/** Seeds as `init_with_uint32`: words, an untouched position, no cached normal. */
export function seed(state: usize, value: u32): void {
  store<u32>(state, 0, NEXT);
  store<u32>(state, 0, HAS_NORMAL);
  store<f64>(state, 0, NORMAL);
  store<u32>(state, value, WORDS);
  for (let j: u32 = 1; j < 624; j++) {
    value = 1812433253 * (value ^ (value >> 30)) + j;
    store<u32>(state + (j << 2), value, WORDS);
  }
}

// Constants live in memory: engines put a splat from there outside of a loop, an immediate not always.
const UPPER = memory.data<u32>([0x80000000]);
const MATRIX = memory.data<u32>([0x9908b0df]);
const TEMPER_B = memory.data<u32>([0x9d2c5680]);
const TEMPER_C = memory.data<u32>([0xefc60000]);

/** Four words of the next block: x[k] = x[k + 397] ^ f(x[k], x[k + 1]), where `far` is the place of x[k + 397]. */
// @ts-ignore: decorator
@inline
function next4(words: usize, far: usize, upper: v128, matrix: v128): v128 {
  const following = v128.load(words, 4);
  const y = v128.bitselect(v128.load(words), following, upper);
  const odd = i32x4.shr_s(i32x4.shl(following, 31), 31);
  const f = v128.xor(i32x4.shr_u(y, 1), v128.and(odd, matrix));
  return v128.xor(v128.load(far), f);
}

/**
 * Replaces a block by the next one. Indices are modulo 624: from k = 227 on x[k + 397] is the new x[k - 227], and the first
 * new words are repeated behind the last.
 */
function twist(words: usize): void {
  const end = words + BLOCK_BYTES;
  const upper = v128.load32_splat(UPPER);
  const matrix = v128.load32_splat(MATRIX);
  v128.store(words, next4(words, words + 397 * 4, upper, matrix));
  v128.store(end, v128.load(words));
  const turn = words + 228 * 4;
  words += 16;
  do {
    v128.store(words, next4(words, words + 397 * 4, upper, matrix));
    v128.store(words, next4(words + 16, words + 401 * 4, upper, matrix), 16);
    words += 32;
  } while (words < turn);
  do {
    v128.store(words, next4(words, words - 227 * 4, upper, matrix));
    v128.store(words, next4(words + 16, words - 223 * 4, upper, matrix), 16);
    v128.store(words, next4(words + 32, words - 219 * 4, upper, matrix), 32);
    words += 48;
  } while (words < end);
}

function copy16Words(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

/** `take` where this block does not hold enough: what it has left and the first of the next, side by side. */
function takeAcross(state: usize, next: u32, count: u32): usize {
  const left = next ? 624 - next : 0;
  copy16Words(state + SEAM, state + WORDS + BLOCK_BYTES - 64);
  twist(state + WORDS);
  copy16Words(state + SEAM + 64, state + WORDS);
  store<u32>(state, count - left, NEXT);
  return state + SEAM + 64 - (left << 2);
}

/** How many blocks of 16 words, 1 to `most`, `take` can give at once. */
export function ready(state: usize, most: u32): u32 {
  const next = load<u32>(state, NEXT);
  const left = next ? 624 - next : 0;
  return left < 16 ? 1 : min(most, left >> 4);
}

/**
 * Address of the next `count` untempered words, now counted as used: 1 to 16, or as many as are `ready`. Good until the
 * next call.
 */
// @ts-ignore: decorator
@inline
export function take(state: usize, count: u32): usize {
  const next = load<u32>(state, NEXT);
  if (!next || next + count > 624) return takeAcross(state, next, count);
  store<u32>(state, next + count, NEXT);
  return state + WORDS + (<usize>next << 2);
}

/** Four tempered words from four raw ones. */
// @ts-ignore: decorator
@inline
export function temper(y: v128): v128 {
  y = v128.xor(y, i32x4.shr_u(y, 11));
  y = v128.xor(y, v128.and(i32x4.shl(y, 7), v128.load32_splat(TEMPER_B)));
  y = v128.xor(y, v128.and(i32x4.shl(y, 15), v128.load32_splat(TEMPER_C)));
  return v128.xor(y, i32x4.shr_u(y, 18));
}

/** The next tempered word, alone. */
export function word(state: usize): u32 {
  let y = load<u32>(take(state, 1));
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >> 18);
}
