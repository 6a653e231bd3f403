// npm run bench: every subject in several processes, one after the other; a table on the screen and in RESULTS.md.
// MODEL, PYTHON, BENCH_PROCESSES and BENCH_ROUNDS replace the embedded model, `python` and the defaults below;
// BENCH_CLOCK=cpu is for a busy machine.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { CLOCK, median, startTorch } from './harness.mjs';
import { kernelBytes } from './kernels.mjs';

const PROCESSES = Number(process.env.BENCH_PROCESSES ?? 5);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 30);
/** A generation or a forward pass takes up to seconds, a timing of the others 10 ms. */
const RUNS = Math.max(1, Math.round(ROUNDS / 10));
/** Subjects of that kind; torch does not time itself in them. */
const LONG = ['pipeline', 'unet', 'workers'];
/** UNETS is a folder of models that export_unets.py wrote; forward passes are measured where there is one. */
const SUBJECTS = ['noise', 'step', 'pipeline', 'workers', ...(process.env.UNETS ? ['unet'] : [])];

/** One subject's groups, each with its rounds from every process. */
function collect(name) {
  const script = fileURLToPath(import.meta.url);
  const outputs = Array.from({ length: PROCESSES }, () =>
    JSON.parse(
      execFileSync(process.execPath, [script, name], { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1e8 }),
    ),
  );
  return outputs[0].map((group, g) => ({ ...group, processes: outputs.map((output) => output[g].times) }));
}

/** Ratios of a contestant to another within each round of one process. */
const ratios = (times, name, to) => times[name].map((t, round) => t / times[to][round]);

/** Median ratio over all rounds, and the lowest and highest median of a process. */
function compare({ processes }, name, to) {
  const each = processes.map((times) => ratios(times, name, to));
  const medians = each.map(median);
  return { ratio: median(each.flat()), low: Math.min(...medians), high: Math.max(...medians) };
}

const RELATIONS = {
  speed: { head: 'speed, times', of: (g, name) => compare(g, g.reference, name), format: (x) => x.toFixed(2) },
  time: { head: 'time, times', of: (g, name) => compare(g, name, g.reference), format: (x) => x.toFixed(2) },
  share: {
    head: 'share of the',
    of: (g, name) => compare(g, name, g.reference),
    format: (x) => `${(100 * x).toFixed(2)}%`,
  },
};

function table(group) {
  const { title, unit, perCall, reference, relation, processes } = group;
  const { head, of, format } = RELATIONS[relation];
  const rows = Object.keys(processes[0]).map((name) => {
    const value = median(processes.flatMap((times) => times[name])) * perCall;
    const { ratio, low, high } = of(group, name);
    return `| ${name} | ${value.toFixed(value < 100 ? 2 : 0)} | ${format(ratio)} | ${format(low)} to ${format(high)} |`;
  });
  return [
    `### ${title}`,
    '',
    `| | ${unit} | ${head} ${reference} | by process |`,
    '|---|---:|---:|---:|',
    ...rows,
    '',
  ].join('\n');
}

function targets(groups) {
  const verdict = (name, value, met) => `| ${name} | ${value} | ${met ? 'met' : 'missed'} |`;
  const rows = [];
  for (const group of groups) {
    const { of, format } = RELATIONS[group.relation];
    const limit = (name, bound, sign) => {
      if (!(name in group.processes[0]) || bound === undefined) return;
      const { ratio } = of(group, name);
      const met = sign === '>=' ? ratio >= bound : ratio <= bound;
      rows.push(verdict(`${group.title}: ${name} ${sign} ${format(bound)} ${group.reference}`, format(ratio), met));
    };
    if (group.reference === 'torch.randn') {
      limit('kernel', 0.65, '>=');
      limit('generator.randn', 0.65, '>=');
    }
    if (group.relation === 'time') limit('kernel', { 200000: 2.2, 3000000: 1.2 }[group.n], '<=');
    if (group.reference === 'torch.onnx.export') {
      limit('ddim-wasm', { 'cifar10-32': 2, 'celebahq-256': 2.2 }[group.title.split(', ')[1]] ?? 1, '>=');
    }
    if (group.reference === '1 worker') limit('2 workers', 0.6, '<=');
    if (group.relation === 'share') limit('of it the pipeline', 0.01, '<=');
  }
  rows.push(
    verdict('kernels.wasm < 12,288 bytes', kernelBytes.length.toLocaleString('en'), kernelBytes.length < 12288),
  );
  return ['### Targets', '', '| | measured | |', '|---|---:|---|', ...rows, ''].join('\n');
}

async function report() {
  const started = Date.now();
  const torch = await startTorch();
  torch?.stop();
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url)));
  const versions = { node: process.versions.node, ...torch?.versions, ...dependencies };
  const load = os.loadavg()[0].toFixed(1);
  const groups = SUBJECTS.flatMap((name) => {
    process.stderr.write(`${name} ...\n`);
    return collect(name);
  });
  const text = [
    '# Results',
    '',
    `- ${os.cpus()[0].model}, ${os.cpus().length} cores (load ${load} at the start), ${os.type()} ${os.arch()}, ` +
      `${new Date().toISOString().slice(0, 10)}`,
    `- ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    ...(process.env.MODEL ? ['- generations with a model other than the embedded one (MODEL)'] : []),
    ...(torch ? [] : ['- without torch, which was not found: set PYTHON to a Python that has it']),
    ...(torch && !torch.versions.diffusers ? ['- without diffusers, which was not found: no step of torch'] : []),
    `- ${PROCESSES} processes of ${ROUNDS} rounds each (${RUNS} generations), all on one thread but the workers, ${CLOCK} time, contestants in turns ` +
      `within a round; ${Math.round((Date.now() - started) / 1000)} s in all`,
    '',
    'Times are medians over all rounds, ratios medians of the ratios within a round; the last column is the range of the',
    "processes' own medians.",
    '',
    targets(groups),
    ...groups.map(table),
  ].join('\n');
  process.stdout.write(text);
  writeFileSync(new URL('RESULTS.md', import.meta.url), text);
}

const [subject] = process.argv.slice(2);
if (subject) {
  const long = LONG.includes(subject);
  const torch = long ? undefined : await startTorch();
  const { measure } = await import(`./${subject}.mjs`);
  const groups = await measure(torch, long ? RUNS : ROUNDS);
  torch?.stop();
  process.stdout.write(JSON.stringify(groups));
} else {
  await report();
}
