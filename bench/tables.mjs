// The tables of RESULTS.md.

import { median } from './harness.mjs';
import { kernelBytes } from './kernels.mjs';

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
  time: { head: 'times', of: (g, name) => compare(g, name, g.reference), format: (x) => x.toFixed(2) },
  share: {
    head: 'share of',
    of: (g, name) => compare(g, name, g.reference),
    format: (x) => `${(100 * x).toFixed(2)}%`,
  },
};

const number = (value) => (Math.abs(value) < 100 ? value.toFixed(2) : value.toFixed(0));
const timeOf = ({ processes, perCall }, name) => median(processes.flatMap((times) => times[name])) * perCall;

function whole(group, pictures) {
  const { title, unit, reference, relation, processes, missing = {} } = group;
  const { head, of, format } = RELATIONS[relation];
  const rows = Object.keys(processes[0]).map((name) => {
    const { ratio, low, high } = of(group, name);
    return `| ${name} | ${number(timeOf(group, name))} | ${format(ratio)} | ${format(low)} to ${format(high)} |`;
  });
  const absent = Object.entries(missing).map(([name, why]) => `| ${name} | missing: ${why} | | |`);
  return [
    `### ${title}`,
    '',
    ...pictures,
    `| | ${unit} | ${head} ${reference} | by process |`,
    '|---|---:|---:|---:|',
    ...rows,
    ...absent,
    '',
  ].join('\n');
}

/** Forward passes, a row for each model. */
function forward(groups, pictures) {
  const [PLAIN, OURS] = ['torch.onnx.export', 'ddim-wasm'];
  const rows = groups.map((group) => {
    const { ratio, low, high } = compare(group, PLAIN, OURS);
    const times = [PLAIN, OURS].map((name) => number(timeOf(group, name)));
    const errors = [PLAIN, OURS].map((name) => group.differences[name].toExponential(1));
    const range = `${low.toFixed(2)} to ${high.toFixed(2)}`;
    const size = (group.parameters / 1e6).toFixed(2);
    return `| ${[group.row, size, ...times, ratio.toFixed(2), range, ...errors].join(' | ')} |`;
  });
  const heads = ['', 'million parameters', `${PLAIN}, ms`, `${OURS}, ms`, 'speed, times', 'by process'];
  return [
    '### Forward passes of one image',
    '',
    'Both graphs in onnxruntime-web. Random weights but for the embedded model; `drawn-*` are drawn by seed from all options of',
    "`UNet2DModel`. The last columns are the largest differences to torch's result, of its largest value.",
    '',
    ...pictures,
    `${[...heads, `${PLAIN}, difference`, `${OURS}, difference`].map((head) => `| ${head} `).join('')}|`,
    `|---|${'---:|'.repeat(7)}`,
    ...rows,
    '',
  ].join('\n');
}

/** How times grow: a row for each value. */
function growth(groups, pictures) {
  const names = [...new Set(groups.flatMap(({ processes }) => Object.keys(processes[0])))];
  const missing = Object.entries(groups[0].missing ?? {});
  const cell = (group, name) => (name in group.processes[0] ? number(timeOf(group, name)) : '');
  return [
    `### Embedded model by ${groups[0].label}`,
    '',
    ...pictures,
    `| ${[groups[0].label, ...names.map((name) => `${name}, ms`)].join(' | ')} |`,
    `|---|${'---:|'.repeat(names.length)}`,
    ...groups.map((group) => `| ${[group.x, ...names.map((name) => cell(group, name))].join(' | ')} |`),
    '',
    ...missing.map(([name, why]) => `Missing: ${name} (${why}).\n`),
  ].join('\n');
}

/** All tables, each with its picture. @param pictures Markdown by the kind of group. */
export function table(groups, pictures) {
  const texts = [];
  const seen = new Set();
  for (const group of groups) {
    const { subject, plot } = group;
    const key = subject === 'forward' ? 'forward' : subject === 'growth' ? plot : undefined;
    if (key !== undefined && seen.has(key)) continue;
    const pictured = [plot, ...(subject === 'forward' ? ['model-size'] : [])].filter((kind) => !seen.has(kind));
    const shown = pictured.flatMap((kind) => pictures[kind] ?? []);
    for (const kind of pictured) seen.add(kind);
    const alike = groups.filter((other) => other.subject === subject && (subject !== 'growth' || other.plot === plot));
    if (subject === 'forward') texts.push(forward(alike, shown));
    else if (subject === 'growth') texts.push(growth(alike, shown));
    else texts.push(whole(group, shown));
  }
  return texts;
}

export function targets(groups) {
  const rows = [];
  const verdict = (name, value, met) => rows.push(`| ${name} | ${value} | ${met ? 'met' : 'missed'} |`);
  for (const group of groups) {
    const { of, format } = RELATIONS[group.relation];
    const limit = (name, bound, sign) => {
      if (!(name in group.processes[0]) || bound === undefined) return;
      const { ratio } = of(group, name);
      const met = sign === '>=' ? ratio >= bound : ratio <= bound;
      verdict(`${group.title}: ${name} ${sign} ${format(bound)} ${group.reference}`, format(ratio), met);
    };
    if (group.reference === 'torch.randn') {
      limit('kernel', 1, '>=');
      limit('kernel, relaxed SIMD', 1.7, '>=');
      limit('generator.randn', 0.65, '>=');
    }
    if (group.subject === 'step') limit('kernel', { 200000: 2.2, 3000000: 1.05 }[group.n], '<=');
    if (group.subject === 'forward' && !group.row.startsWith('drawn')) {
      limit('ddim-wasm', { 'cifar10-32': 2, 'celebahq-256': 2.2, embedded: 1.5 }[group.row] ?? 1, '>=');
    }
    if (group.reference === 'single pictures') limit('one batch', 1, '<=');
    if (group.reference === '1 worker') limit('2 workers', 0.6, '<=');
    if (group.subject === 'pipeline') limit('of it all else', 0.01, '<=');
    if (group.subject === 'memory' && group.x === 'cifar10-32') limit('ddim-wasm', 1, '<=');
  }
  const passes = groups.filter(({ subject }) => subject === 'forward');
  const drawn = passes.filter(({ row }) => row.startsWith('drawn'));
  if (drawn.length > 0) {
    const least = Math.min(...drawn.map((group) => compare(group, group.reference, 'ddim-wasm').low));
    verdict(
      `Forward pass, ${drawn.length} drawn architectures, in any process: never below 1.00`,
      least.toFixed(2),
      least >= 1,
    );
  }
  if (passes.length > 0) {
    const most = Math.max(...passes.map(({ differences }) => differences['ddim-wasm']));
    verdict('Forward pass: differs from torch by at most 2e-5', most.toExponential(1), most <= 2e-5);
  }
  verdict('kernels.wasm < 12,288 bytes', kernelBytes.length.toLocaleString('en'), kernelBytes.length < 12288);
  return ['### Targets', '', '| | measured | |', '|---|---:|---|', ...rows, ''];
}
