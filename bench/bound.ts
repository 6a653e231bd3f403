// AssemblyScript: out = x + y, 64 bytes at a time. `bytes` is a multiple of 64.

// @ts-ignore: decorator
@inline
function sum(x: usize, y: usize, out: usize): void {
  v128.store(out, f32x4.add(v128.load(x), v128.load(y)));
}

// @ts-ignore: decorator
@inline
function line(x: usize, y: usize, out: usize): void {
  sum(x, y, out);
  sum(x + 16, y + 16, out + 16);
  sum(x + 32, y + 32, out + 32);
  sum(x + 48, y + 48, out + 48);
}

/** From the first byte to the last. */
export function endToEnd(bytes: usize, x: usize, y: usize, out: usize): void {
  for (let i: usize = 0; i < bytes; i += 64) line(x + i, y + i, out + i);
}

/** In four places at once, 512 bytes at each in turn, as assembly/ddim.ts walks large arrays. */
export function inPlaces(bytes: usize, x: usize, y: usize, out: usize): void {
  const apart: usize = (bytes / 4 + 4096 & ~4095) + 1024;
  for (let start: usize = 0; start < apart; start += 512) {
    for (let from = start; from < bytes; from += apart) {
      const to = min(from + 512, bytes);
      for (let i = from; i < to; i += 64) line(x + i, y + i, out + i);
    }
  }
}
