// IEEE 754 binary16, for models whose inputs and outputs are float16.

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** float32 to the bits of the nearest float16, ties to even. */
export function toHalf(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    float[0] = value;
    const bits = word[0] as number;
    const sign = (bits >>> 16) & 0x8000;
    const magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00;
    if (magnitude >= 0x47800000) return sign | 0x7c00;
    if (magnitude < 0x38800000) {
      // Subnormal in float16: adding 0.5 rounds to a multiple of 2^-24 and leaves it in the low bits.
      float[0] = Math.abs(value) + 0.5;
      return sign | ((word[0] as number) - 0x3f000000);
    }
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13);
  });
}

/** The bits of float16 to float32, exactly. */
export function fromHalf(values: Uint16Array): Float32Array {
  return Float32Array.from(values, (half) => {
    const magnitude = half & 0x7fff;
    const sign = half & 0x8000 ? -1 : 1;
    if (magnitude >= 0x7c00) return magnitude === 0x7c00 ? sign * Infinity : NaN;
    if (magnitude < 0x400) return sign * magnitude * 5.9604644775390625e-8;
    word[0] = (magnitude << 13) + 0x38000000;
    return sign * (float[0] as number);
  });
}
