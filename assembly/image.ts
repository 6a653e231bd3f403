// From the model's [-1, 1] to pictures, as DDIMPipeline.__call__ and VaeImageProcessor.numpy_to_pil do it.

/** `clamp(x / 2 + 0.5, 0, 1)`. */
export function toUnit(n: u32, x: usize, out: usize): void {
  const half = f32x4.splat(0.5);
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const end = (<usize>n << 2);
  for (let i: usize = 0; i < end; i += 16) {
    const y = f32x4.add(f32x4.mul(v128.load(x + i), half), half);
    v128.store(out + i, f32x4.pmin(f32x4.pmax(y, zero), one));
  }
}

/** `round(x * 255)`, halves to even, of a plane in [0, 1] into every `stride`-th byte. */
export function toBytes(n: u32, x: usize, out: usize, stride: u32): void {
  const end = x + (<usize>n << 2);
  while (x < end) {
    store<u8>(out, <u8>nearest<f32>(load<f32>(x) * 255));
    x += 4;
    out += stride;
  }
}
