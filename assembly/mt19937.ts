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
//     2512   2496  ahead      scratch: the block that follows, so that 16 words can be read across the seam
//
// Twisting is the recurrence x[k+624] = x[k+397] ^ f(x[k], x[k+1]). Because `ahead` follows `words` directly, one loop
// over k = 0..623 does it with no wrap-around, and four k at a time: the nearest dependence is 227 words away.

export const NEXT: usize = 0;
export const HAS_NORMAL: usize = 4;
export const NORMAL: usize = 8;
export const WORDS: usize = 16;
export const BLOCK_BYTES: usize = 624 * 4;

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

/** Writes the block that follows `words` into `ahead`. */
function twistAhead(words: usize): void {
  const upper = i32x4.splat(0x80000000);
  const lower = i32x4.splat(0x7fffffff);
  const matrix = i32x4.splat(0x9908b0df);
  const one = i32x4.splat(1);
  const end = words + BLOCK_BYTES;
  do {
    const next = v128.load(words, 4);
    const y = v128.or(v128.and(v128.load(words), upper), v128.and(next, lower));
    // All ones where the lowest bit of y (which is next's) is set.
    const odd = i32x4.neg(v128.and(next, one));
    const mixed = v128.xor(i32x4.shr_u(y, 1), v128.and(odd, matrix));
    v128.store(words, v128.xor(v128.load(words, 397 * 4), mixed), BLOCK_BYTES);
    words += 16;
  } while (words < end);
}

/** Makes `ahead` the current block. */
// @ts-ignore: decorator
@inline
function advance(state: usize): void {
  memory.copy(state + WORDS, state + WORDS + BLOCK_BYTES, BLOCK_BYTES);
}

/**
 * Address of the next `count` (at most 16) untempered words, now counted as used. They may run on into `ahead`, which
 * leaves `next` above 624: call `settle` before the state is left to anyone else.
 */
// @ts-ignore: decorator
@inline
export function take(state: usize, count: u32): usize {
  let next = load<u32>(state, NEXT);
  if (next > 624) {
    advance(state);
    next -= 624;
  } else if (next == 0 || next == 624) {
    twistAhead(state + WORDS);
    advance(state);
    next = 0;
  }
  if (next + count > 624) twistAhead(state + WORDS);
  store<u32>(state, next + count, NEXT);
  return state + WORDS + (<usize>next << 2);
}

/** Brings `next` back to 0..624. */
export function settle(state: usize): void {
  const next = load<u32>(state, NEXT);
  if (next <= 624) return;
  advance(state);
  store<u32>(state, next - 624, NEXT);
}

/** Four tempered words from four raw ones. */
// @ts-ignore: decorator
@inline
export function temper(y: v128): v128 {
  y = v128.xor(y, i32x4.shr_u(y, 11));
  y = v128.xor(y, v128.and(i32x4.shl(y, 7), i32x4.splat(0x9d2c5680)));
  y = v128.xor(y, v128.and(i32x4.shl(y, 15), i32x4.splat(0xefc60000)));
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
