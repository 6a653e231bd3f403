// float16 against the definition of IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits.
import { fromHalf, toHalf } from '../../src/unet/half.ts';

const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

function defined(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

test('every float16 has its value', () => {
  const values = fromHalf(all);
  expect(all.findIndex((bits, i) => !Object.is(values[i], defined(bits)))).toBe(-1);
});

test('every float16 comes back from its float32', () => {
  const back = toHalf(fromHalf(all));
  const wrong = all.findIndex(
    (bits, i) =>
      (Number.isNaN(defined(bits)) ? (back[i] as number) & 0x7fff : back[i]) !==
      (Number.isNaN(defined(bits)) ? 0x7e00 : bits),
  );
  expect(wrong).toBe(-1);
});

test('between two float16 the nearer is taken, and half way the even one', () => {
  const next = new Float32Array(1);
  const word = new Uint32Array(next.buffer);
  for (let bits = 0; bits < 0x7bff; bits++) {
    next[0] = (defined(bits) + defined(bits + 1)) / 2;
    const middle = next[0];
    const even = bits & 1 ? bits + 1 : bits;
    word[0] = (word[0] as number) + 1;
    const above = next[0];
    word[0] = (word[0] as number) - 2;
    const below = next[0];
    const rounded = [...toHalf(Float32Array.of(below, middle, above, -middle))];
    if (rounded.join() !== [bits, even, bits + 1, even | 0x8000].join())
      expect({ bits, rounded }).toBe('nearest, ties to even');
  }
  expect([...toHalf(Float32Array.of(65519, 65520, 1e30, -1e30, 2 ** -25, 2 ** -26))]).toEqual([
    0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 0,
  ]);
});
