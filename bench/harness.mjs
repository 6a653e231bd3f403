// Contestants take turns: every round times each of them once, in a random order. What is compared is always two times
// of the same round, so that a slow spell of the machine hits both.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** BENCH_CLOCK=cpu counts the process's time on a core, for a machine that others use too; the default is the wall's. */
export const CLOCK = process.env.BENCH_CLOCK === 'cpu' ? 'cpu' : 'wall';

/** The clock, in seconds. */
export function seconds() {
  if (CLOCK === 'wall') return performance.now() / 1e3;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Length of one timing, in seconds; a contestant repeats its work to fill it. */
const SLICE = 0.01;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A contestant that runs here: seconds taken by `count` calls. */
export const here = (body) => (count) => {
  const start = seconds();
  for (let i = 0; i < count; i++) body();
  return seconds() - start;
};

const shuffled = (list) =>
  list
    .map((item) => [Math.random(), item])
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);

/**
 * Times contestants in turns.
 * @param contestants name -> (count) => seconds, or a promise of them
 * @returns name -> seconds of one call, an entry for each round
 */
export async function interleave(contestants, rounds) {
  const entries = Object.entries(contestants);
  const counts = {};
  for (const [name, time] of entries) {
    // Until a slice is full twice: compiled by the optimizing tier, and the count is known.
    let count = 1;
    for (let full = 0; full < 2; ) {
      const taken = await time(count);
      if (taken >= SLICE) full++;
      else count = Math.ceil(count * Math.min(10, (1.2 * SLICE) / Math.max(taken, 1e-6)));
    }
    counts[name] = count;
  }
  const times = Object.fromEntries(entries.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, time] of shuffled(entries)) times[name].push((await time(counts[name])) / counts[name]);
  }
  return times;
}

/** torch in a Python process that times itself on request; undefined where there is none. */
export async function startTorch(threads = 1) {
  const python = spawn(process.env.PYTHON ?? 'python', [fileURLToPath(new URL('torch_worker.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      ...process.env,
      TORCH_THREADS: String(threads),
      OMP_NUM_THREADS: String(threads),
      OPENBLAS_NUM_THREADS: String(threads),
      // Else the threads of OpenMP spin while those of OpenBLAS work: 10 times as slow with two on two cores.
      OMP_WAIT_POLICY: 'PASSIVE',
    },
  });
  const gone = new Promise((resolve) => {
    python.on('error', resolve).on('close', resolve);
  });
  python.stdin.on('error', () => {});
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const ask = async (...request) => {
    python.stdin.write(`${JSON.stringify(request)}\n`);
    const { value } = await lines.next();
    if (value === undefined) throw new Error(`torch_worker.py ended on: ${JSON.stringify(request)}`);
    return JSON.parse(value);
  };
  const first = await Promise.race([lines.next(), gone]);
  if (!first?.value) return undefined;
  return {
    versions: JSON.parse(first.value),
    /** A contestant: a task of torch_worker.py and its arguments. */
    time:
      (task, ...args) =>
      (count) =>
        ask(count, task, ...args),
    stop() {
      python.stdin.end();
      return gone;
    },
  };
}
