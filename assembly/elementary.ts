// Elementary functions in double precision, for the narrow ranges that are needed here. WebAssembly has none, and the
// host's may not touch a sample: engines differ from one another. The error is below one unit in the last place.
//
// After FreeBSD's msun (e_log.c, k_sin.c, k_cos.c, e_rem_pio2.c):
// Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunPro, a Sun Microsystems, Inc.
// business. Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice
// is preserved.

/** The natural logarithm of a normal number. */
export function log(x: f64): f64 {
  // x = 2^k * (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)).
  const bits = reinterpret<u64>(x) - 0x3fe6a09e00000000;
  const k = <f64>(<i64>bits >> 52);
  const f = reinterpret<f64>((bits & 0x000fffffffffffff) + 0x3fe6a09e00000000) - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const even = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const odd =
    z *
    (6.66666666666673513e-1 +
      w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  const half = 0.5 * f * f;
  return s * (half + odd + even) + k * 1.90821492927058770002e-10 - half + f + k * 6.93147180369123816490e-1;
}

// The argument of both is x + y, |x| <= pi / 4 and y far below x's last place.

function sinNear0(x: f64, y: f64): f64 {
  const z = x * x;
  const w = z * z;
  const r =
    8.33333333332248946124e-3 +
    z * (-1.98412698298579493134e-4 + z * 2.75573137070700676789e-6) +
    z * w * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10);
  const v = z * x;
  return x - (z * (0.5 * y - v * r) - y - v * -1.66666666666666324348e-1);
}

function cosNear0(x: f64, y: f64): f64 {
  const z = x * x;
  const w = z * z;
  const r =
    z * (4.16666666666666019037e-2 + z * (-1.38888888888741095749e-3 + z * 2.48015872894767294178e-5)) +
    w * w * (-2.75573143513906633035e-7 + z * (2.08757232129817482790e-9 + z * -1.13596475577881948265e-11));
  const half = 0.5 * z;
  const one = 1 - half;
  return one + (1 - one - half + (z * r - x * y));
}

/** The cosine of an angle in [0, 2 pi], `quarters` quarter turns further on: with 3, its sine. */
export function cosTurned(angle: f64, quarters: i32): f64 {
  // Off the nearest multiple of pi / 2, in three parts of 33, 33 and 53 bits: for so few turns all products are exact.
  const n = nearest(angle * 6.36619772367581382433e-1);
  const first = angle - n * 1.57079632673412561417;
  const second = n * 6.07710050630396597660e-11;
  const r = first - second;
  const third = n * 2.02226624879595063154e-21 - (first - r - second);
  const x = r - third;
  const y = r - x - third;

  const quadrant = <i32>n + quarters;
  const value = quadrant & 1 ? sinNear0(x, y) : cosNear0(x, y);
  return (quadrant + 1) & 2 ? -value : value;
}
