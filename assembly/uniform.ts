// Uniform draws: at::uniform_real_distribution over [0, 1), ATen/core/TransformationHelper.h.
import { take, temper, word } from './mt19937';

const LOW_24: u32 = 0xffffff;
const STEP: f32 = 5.9604644775390625e-8; // 2^-24

/** Four float32 in [0, 1) from four raw words: the low 24 bits times 2^-24, both exact. */
// @ts-ignore: decorator
@inline
function uniforms(raw: v128): v128 {
  const bits = v128.and(temper(raw), i32x4.splat(LOW_24));
  return f32x4.mul(f32x4.convert_i32x4_s(bits), f32x4.splat(STEP));
}

/** A float64 in [0, 1): 53 bits of two words, the first one high. */
export function uniformDouble(state: usize): f64 {
  const high = <u64>word(state);
  const low = <u64>word(state);
  return <f64>(<i64>(((high << 32) | low) & 0x1fffffffffffff)) * 1.1102230246251565e-16;
}

/** `torch.rand`: n float32, one word each. */
export function rand(state: usize, out: usize, n: u32): void {
  const end = out + (<usize>n << 2);
  const wholeBlocks = end - ((n & 15) << 2);
  while (out < wholeBlocks) {
    const words = take(state, 16);
    v128.store(out, uniforms(v128.load(words)));
    v128.store(out, uniforms(v128.load(words, 16)), 16);
    v128.store(out, uniforms(v128.load(words, 32)), 32);
    v128.store(out, uniforms(v128.load(words, 48)), 48);
    out += 64;
  }
  while (out < end) {
    store<f32>(out, <f32>(word(state) & LOW_24) * STEP);
    out += 4;
  }
}
