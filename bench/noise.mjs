// Normal noise: ours against torch.randn, plain JavaScript and two packages.
import { randomNormal } from 'd3-random';
import MersenneTwister from 'mersenne-twister';
import { Random } from 'random';
import { Generator } from '../dist/esm/index.js';
import { here, interleave } from './harness.mjs';
import { fusedRandn, instantiate, STATE_BYTES } from './kernels.mjs';

const SIZES = [3072, 1_000_000];

/** MT19937 and Box-Muller as one writes them in JavaScript: float64, Math.log, cos and sin, two normals a pair. */
function plainJs(seed) {
  const words = new Uint32Array(624);
  words[0] = seed;
  for (let i = 1; i < 624; i++) words[i] = Math.imul(1812433253, words[i - 1] ^ (words[i - 1] >>> 30)) + i;
  let next = 624;
  const twist = (i, following, middle) => {
    const y = (words[i] & 0x80000000) | (words[following] & 0x7fffffff);
    words[i] = words[middle] ^ (y >>> 1) ^ (-(y & 1) & 0x9908b0df);
  };
  const uniform = () => {
    if (next === 624) {
      for (let i = 0; i < 227; i++) twist(i, i + 1, i + 397);
      for (let i = 227; i < 623; i++) twist(i, i + 1, i - 227);
      twist(623, 0, 396);
      next = 0;
    }
    let y = words[next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return ((y ^ (y >>> 18)) & 0xffffff) * 2 ** -24;
  };
  return (out) => {
    for (let i = 0; i < out.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      out[i] = radius * Math.cos(angle);
      out[i + 1] = radius * Math.sin(angle);
    }
  };
}

/** @param kind 'relaxed': only what relaxed SIMD changes, in an engine that has it. */
export async function measure(torch, rounds, kind) {
  const groups = [];
  const engine = kind === 'relaxed' ? `, Node ${process.versions.node} with relaxed SIMD` : '';
  for (const n of SIZES) {
    const k = instantiate();
    const state = k.reserve(STATE_BYTES);
    const address = k.reserve(n * 4);
    k.seed(state, 0);
    const fused = fusedRandn(k);
    const ours = new Generator(0);
    // The kernel and the public call are one noise.
    k.randnBlocks(state, address, Math.floor(n / 16));
    const expected = new Generator(0).randn(n).data;
    const drawn = new Float32Array(k.memory.buffer, address, n);
    const differs = () => expected.some((value, i) => i < n - 16 && value !== drawn[i]);
    if (differs()) throw new Error('randnBlocks is not randn');
    if (fused) {
      k.seed(state, 0);
      fused(state, address, Math.floor(n / 16));
      if (differs()) throw new Error('relaxed SIMD gives other bits on this processor');
    }

    const out = new Float32Array(n);
    const fill = (next) => () => {
      for (let i = 0; i < n; i++) out[i] = next();
    };
    const plain = plainJs(0);
    const twister = new MersenneTwister(0);
    if (kind === 'relaxed' && !fused) throw new Error('this engine has no relaxed SIMD');
    const others = kind !== 'relaxed' && {
      'plain JS': here(() => plain(out)),
      'd3-random over mersenne-twister': here(fill(randomNormal.source(() => twister.random())(0, 1))),
      random: here(fill(new Random('seed').normal(0, 1))),
    };
    const contestants = {
      kernel: here(() => k.randnBlocks(state, address, n / 16)),
      ...(fused && { 'kernel, relaxed SIMD': here(() => fused(state, address, n / 16)) }),
      'generator.randn': here(() => ours.randn(n)),
      ...(torch && { 'x.normal_ (torch)': torch.time('normal', n), 'torch.randn': torch.time('randn', n) }),
      ...others,
    };
    groups.push({
      title: `Noise, ${n.toLocaleString('en')} samples${engine}`,
      n,
      unit: 'ns a sample',
      perCall: 1e9 / n,
      reference: torch ? 'torch.randn' : 'kernel',
      relation: 'speed',
      times: await interleave(contestants, rounds),
    });
  }
  return groups;
}
