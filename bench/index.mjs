// npm run bench: every subject in several processes, one after the other; tables on the screen and in RESULTS.md, pictures
// in plots/. About half an hour. Set in the environment:
//
//     PYTHON           a Python with torch, diffusers and onnx in place of `python`; without one its rows say so
//     UNETS            models that export_unets.py wrote; if unset, it writes them to build/unets (2 GB), where there is torch
//     CHROMIUM         /usr/bin/chromium if unset
//     RELAXED_NODE     a Node of 22 or later, for noise by relaxed SIMD where the one that runs this has none
//     SUBJECTS         some of them, such as noise,forward; what is written then goes to build/bench
//     BENCH_PROCESSES  for each subject (3), BENCH_ROUNDS of short timings (30), BENCH_CLOCK=cpu for a busy machine
//     MODEL            another model for the pipeline's share
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLOCK, startTorch } from './harness.mjs';
import { draw } from './plots.mjs';
import { table, targets } from './tables.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const PROCESSES = Number(process.env.BENCH_PROCESSES ?? 3);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 30);
/** Of what takes seconds. */
const RUNS = Math.max(1, Math.round(ROUNDS / 10));
const MANY = 2 * RUNS + 1;

const hasRelaxedSimd = WebAssembly.validate(readFileSync(join(root, 'build/fused.wasm')));
/** A Node that has relaxed SIMD; undefined without one. */
const RELAXED_NODE = process.env.RELAXED_NODE ?? (hasRelaxedSimd ? process.execPath : undefined);

/**
 * Subjects: their module, what it is told, whether it wants torch, how many processes and rounds, whether it needs models,
 * which Node.
 */
const SUBJECTS = [
  { name: 'noise', torch: true, rounds: ROUNDS },
  { name: 'noise', kind: 'relaxed', torch: true, rounds: ROUNDS, node: RELAXED_NODE },
  { name: 'step', torch: true, rounds: ROUNDS },
  { name: 'pipeline' },
  { name: 'workers' },
  { name: 'forward', module: 'unet', kind: 'named', models: true },
  { name: 'forward', module: 'unet', kind: 'drawn', models: true, rounds: MANY },
  { name: 'forward', module: 'unet', kind: 'large', models: true },
  { name: 'generation', kind: 'embedded', models: true },
  { name: 'generation', kind: 'batch', models: true },
  { name: 'generation', kind: 'cifar10-32', models: true, processes: Math.min(2, PROCESSES) },
  { name: 'generation', kind: 'celebahq-256', models: true, processes: Math.min(2, PROCESSES), rounds: 1 },
  {
    name: 'growth',
    module: 'generation',
    kind: 'growth',
    models: true,
    processes: Math.min(2, PROCESSES),
    rounds: MANY,
  },
  { name: 'startup', models: true, rounds: 1, processes: 2 * PROCESSES + 1 },
  { name: 'memory', models: true, rounds: 1 },
];
const chosen = process.env.SUBJECTS?.split(',');

/** One subject's groups, each with its rounds from every process. */
function collect(index, { name, processes = PROCESSES, kind = '', node = process.execPath }) {
  process.stderr.write(`${name} ${kind}...\n`);
  const script = fileURLToPath(import.meta.url);
  const options = { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1e8 };
  const outputs = Array.from({ length: processes }, () =>
    JSON.parse(execFileSync(node, [script, String(index)], options)),
  );
  const plot = ['noise', 'step'].includes(name) && kind === '' ? name : undefined;
  return outputs[0].map((group, g) => {
    const all = outputs.map((output) => output[g].times);
    return { x: group.title, plot, ...group, subject: name, processes: all };
  });
}

/** Where the models are; they are made where there are none and Python can. */
function findModels(torch) {
  if (process.env.UNETS) return;
  const folder = join(root, 'build/unets');
  process.env.UNETS = folder;
  if (!torch?.versions.diffusers) return;
  process.stderr.write('models ...\n');
  const script = join(root, 'bench/export_unets.py');
  const { status } = spawnSync(process.env.PYTHON ?? 'python', [script, folder], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.stderr.write('export_unets.py failed: what it did not write is not measured\n');
}

function sizes() {
  // It ends with 1 where something is over its budget.
  const { stdout: text } = spawnSync(process.execPath, ['scripts/size.mjs'], { cwd: root, encoding: 'utf8' });
  const rows = text
    .trim()
    .split('\n')
    .map((line) => /^(.*?) +(\d+) of +(\d+) bytes/.exec(line));
  const ort = join(root, 'node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm');
  const plain = join(process.env.UNETS, 'embedded/export.onnx');
  const number = (bytes) => Number(bytes).toLocaleString('en');
  return [
    '### Sizes',
    '',
    '| | bytes | budget |',
    '|---|---:|---:|',
    ...rows.map(([, name, bytes, budget]) => `| ${name} | ${number(bytes)} | ${number(budget)} |`),
    `| onnxruntime-web's WebAssembly | ${number(readFileSync(ort).length)} | |`,
    existsSync(plain)
      ? `| embedded model as torch.onnx.export writes it | ${number(readFileSync(plain).length)} | |`
      : '| embedded model as torch.onnx.export writes it | missing: no models | |',
    '',
  ].join('\n');
}

const versionOf = (node) => execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim();

function versions(torch) {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url)));
  const of = (name) => {
    const path = join(root, 'node_modules', name, 'package.json');
    return existsSync(path) ? { [name]: JSON.parse(readFileSync(path)).version } : {};
  };
  const peers = Object.fromEntries(
    ['d3-random', 'mersenne-twister', 'random'].map((name) => [name, dependencies[name]]),
  );
  return {
    node: process.versions.node,
    ...(RELAXED_NODE && RELAXED_NODE !== process.execPath && { 'node for relaxed SIMD': versionOf(RELAXED_NODE) }),
    ...of('onnxruntime-web'),
    ...of('onnxruntime-node'),
    ...torch?.versions,
    ...peers,
  };
}

async function report() {
  const started = Date.now();
  const torch = await startTorch();
  // Else it stays for as long as the subjects run: nothing is sent meanwhile.
  await torch?.stop();
  findModels(torch);
  const models = existsSync(process.env.UNETS) && readdirSync(process.env.UNETS).length > 0;
  const load = os.loadavg()[0].toFixed(1);
  const groups = [];
  const failed = [];
  for (const [index, subject] of SUBJECTS.entries()) {
    if (chosen && !chosen.includes(subject.name)) continue;
    if (subject.models && !models) continue;
    if (subject.kind === 'relaxed' && !subject.node) continue;
    try {
      groups.push(...collect(index, subject));
    } catch (error) {
      // The others' half an hour is not lost.
      failed.push(`${subject.name} ${subject.kind ?? ''}`.trim());
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
    }
  }
  const target = chosen ? new URL('../build/bench/', import.meta.url) : new URL('.', import.meta.url);
  mkdirSync(target, { recursive: true });
  const pictures = draw(groups, target);
  const text = [
    '# Results',
    '',
    `- ${os.cpus()[0].model}, ${os.cpus().length} cores (load ${load} at the start), ${os.type()} ${os.arch()}, ` +
      `${new Date().toISOString().slice(0, 10)}`,
    `- ${Object.entries(versions(torch))
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    ...(process.env.MODEL ? ["- the pipeline's share with a model other than the embedded one (MODEL)"] : []),
    ...(torch ? [] : ['- missing: torch (set PYTHON to a Python that has it), and what is compared with it']),
    ...(torch && !torch.versions.diffusers ? ['- missing: diffusers, and what is compared with it'] : []),
    ...(models ? [] : ['- missing: the models that export_unets.py writes, and all that is measured on them']),
    ...(failed.length > 0 ? [`- missing, for it failed: ${failed.join(', ')}`] : []),
    ...(RELAXED_NODE ? [] : ['- missing: noise by relaxed SIMD (set RELAXED_NODE to a Node of 22 or later)']),
    ...(groups.some(({ title }) => title.includes('Chromium')) || chosen ? [] : ['- missing: Chromium (set CHROMIUM)']),
    `- ${PROCESSES} processes of ${ROUNDS} rounds each for noise and step, of ${RUNS} for what takes longer (drawn models and growth ` +
      `${MANY}; starts, memory and 256 x 256 pictures 1); 2 processes for growth and for pictures with cifar10-32 and ` +
      `celebahq-256, ${2 * PROCESSES + 1} for starts; one thread unless said, ${CLOCK} time, contestants in turns within a round; ` +
      `${Math.round((Date.now() - started) / 1000)} s in all`,
    '',
    'Times are medians over all rounds, ratios medians of the ratios within a round; the last column is the range of the',
    "processes' own medians.",
    '',
    ...targets(groups),
    ...table(groups, pictures),
    sizes(),
  ].join('\n');
  process.stdout.write(text);
  writeFileSync(new URL('RESULTS.md', target), text);
}

const [index] = process.argv.slice(2);
if (index !== undefined) {
  const { name, module = name, kind, torch: wanted, rounds = RUNS } = SUBJECTS[Number(index)];
  const torch = wanted ? await startTorch() : undefined;
  const { measure } = await import(`./${module}.mjs`);
  const groups = await measure(torch, rounds, kind);
  torch?.stop();
  process.stdout.write(JSON.stringify(groups), () => process.exit());
} else {
  await report();
}
