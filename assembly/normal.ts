// Normal draws, bit for bit those of torch.randn on an x86-64 CPU with AVX2: blocks of 16 in single precision, and one by
// one in double where there are fewer.
import { BATCH, normals } from './box-muller';
import { cosTurned, log } from './elementary';
import { HAS_NORMAL, NORMAL, ready, take } from './mt19937';
import { uniformDouble } from './uniform';

/** `blocks` times 16 normals, 16 fresh words each. */
export function randnBlocks(state: usize, out: usize, blocks: u32): void {
  while (blocks) {
    const batch = ready(state, min(blocks, BATCH));
    normals(take(state, 16 * batch), out, batch);
    out += 64 * batch;
    blocks -= batch;
  }
}

/** Uses up `count` words: the uniforms that torch fills a tail with and then draws over. */
export function skip(state: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) take(state, 1);
}

/**
 * `n` normals one by one, in double precision: at::normal_distribution<double>, which torch uses for fewer than 16.
 * The second of a pair waits in the generator until it is asked for.
 */
export function randnSerial(state: usize, out: usize, n: u32): void {
  const end = out + (<usize>n << 2);
  while (out < end) {
    let value: f64;
    if (load<u32>(state, HAS_NORMAL)) {
      value = load<f64>(state, NORMAL);
      store<u32>(state, 0, HAS_NORMAL);
    } else {
      const theta = 2 * Math.PI * uniformDouble(state);
      const radius = Math.sqrt(-2 * log(1 - uniformDouble(state))); // torch's log1p(-u2): 1 - u2 is exact
      value = radius * cosTurned(theta, 0);
      store<f64>(state, radius * cosTurned(theta, 3), NORMAL);
      store<u32>(state, 1, HAS_NORMAL);
    }
    store<f32>(out, <f32>(value + 0)); // no -0
    out += 4;
  }
}
