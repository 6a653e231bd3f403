// Dynamic thresholding (Saharia et al. 2022, arXiv:2205.11487, section 2.3): an exact order statistic of |x| without
// sorting. The bits of a non-negative float32 order as integers do, so a rank is found by counting 11, 10 and 10 bits.

import { clamp } from './ddim';

/** Adds to `counts` the elements whose |x| agrees with `prefix` above the `bits` now counted, which start at `shift`. */
export function countMagnitudes(n: u32, values: usize, counts: usize, shift: u32, bits: u32, prefix: u32): void {
  const end = values + (<usize>n << 2);
  const mask = (<u32>1 << bits) - 1;
  for (let p = values; p < end; p += 4) {
    const key = (load<u32>(p) & 0x7fffffff) >> shift;
    if (key >> bits != prefix) continue;
    const slot = counts + (<usize>(key & mask) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
}

/** `clamp(x, -s, s) / s` in place. */
export function threshold(n: u32, values: usize, s: f32): void {
  const bound = f32x4.splat(s);
  const end = (<usize>n << 2);
  for (let i: usize = 0; i < end; i += 16) {
    v128.store(values + i, f32x4.div(clamp(v128.load(values + i), bound), bound));
  }
}
