// Uniform draws: at::uniform_real_distribution over [0, 1), ATen/core/TransformationHelper.h.
import { settle, take, temper, word } from './mt19937';

/** Four float32 in [0, 1) from four raw words: the low 24 bits times 2^-24. The conversion is exact. */
// @ts-ignore: decorator
@inline
export function uniforms(raw: v128): v128 {
  const bits = v128.and(temper(raw), i32x4.splat(0xffffff));
  return f32x4.mul(f32x4.convert_i32x4_s(bits), f32x4.splat(<f32>5.9604644775390625e-8));
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
    store<f32>(out, <f32>(word(state) & 0xffffff) * <f32>5.9604644775390625e-8);
    out += 4;
  }
  settle(state);
}
