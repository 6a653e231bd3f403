// Plots of the results, as SVG with colours that can be read on light and on dark pages.
import { mkdirSync, writeFileSync } from 'node:fs';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { median } from './harness.mjs';

const { document } = parseHTML('<!doctype html><html></html>');
const INK = '#77828f';
const COLORS = [
  '#3b82f6',
  '#e8890c',
  '#12a37a',
  '#a855f7',
  '#e5484d',
  '#c2a100',
  '#0ea5b7',
  '#d6409f',
  '#8d6e63',
  '#84a300',
  '#8b93a7',
];
/** Where they are written. */
let folder;

/** Colours by name: the library's is the first one. */
const colorsOf = (names) => new Map([...new Set(names)].map((name, i) => [name, COLORS[i % COLORS.length]]));

const WIDTH = 720;
const LINE = 18;

/** The title, and names in their colours below it, as SVG; and where the plot begins. */
function head(title, colors) {
  const text = (words, x, y, attributes) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    for (const [name, value] of Object.entries({ x, y, 'text-anchor': 'start', ...attributes }))
      node.setAttribute(name, value);
    node.textContent = words;
    return node;
  };
  const nodes = [text(title, 8, LINE, { fill: INK, 'font-size': 15, 'font-weight': 'bold' })];
  let [x, y] = [8, 2 * LINE + 4];
  for (const [name, color] of colors) {
    const width = 7.4 * name.length + 14;
    if (x > 8 && x + width > WIDTH) [x, y] = [8, y + LINE];
    nodes.push(text(name, x, y, { fill: color, 'font-weight': 'bold' }));
    x += width;
  }
  return { nodes, bottom: colors.size > 0 ? y : LINE };
}

function save(name, { title, colors = new Map(), height = 300, ...options }) {
  const { nodes, bottom } = head(title, colors);
  const svg = Plot.plot({
    document,
    width: WIDTH,
    height: height + bottom,
    marginTop: bottom + 28,
    marginBottom: 44,
    style: { background: 'transparent', color: INK, fontFamily: 'sans-serif', fontSize: '12px' },
    ...options,
  });
  svg.append(...nodes);
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${name}.svg`, folder), `${svg.outerHTML}\n`);
  return `plots/${name}.svg`;
}

/** Milliseconds (or what the unit is) of every contestant of some groups: { x, name, value }. */
const rowsOf = (groups) =>
  groups.flatMap((group) =>
    Object.keys(group.processes[0]).map((name) => ({
      x: group.x,
      name,
      value: median(group.processes.flatMap((times) => times[name])) * group.perCall,
    })),
  );

const speedOf = ({ processes, reference }) =>
  median(processes.flatMap((times) => times[reference].map((time, i) => time / times['ddim-wasm'][i])));

function forwardSpeeds(groups) {
  const rows = groups.map((group) => ({
    name: group.row,
    speed: speedOf(group),
    drawn: group.row.startsWith('drawn-'),
  }));
  rows.sort((a, b) => b.speed - a.speed);
  return save('forward', {
    title: 'Forward pass of one image: speed, times the graph of torch.onnx.export',
    height: 72 + 15 * rows.length,
    marginLeft: 110,
    x: { domain: [0, Math.max(2.5, ...rows.map(({ speed }) => speed))], label: 'times as fast', grid: true },
    y: { domain: rows.map(({ name }) => name), label: null },
    marks: [
      Plot.barX(rows, { x: 'speed', y: 'name', fill: ({ drawn }) => (drawn ? COLORS[6] : COLORS[0]) }),
      Plot.ruleX([1], { stroke: COLORS[4], strokeWidth: 2 }),
      Plot.text(rows, {
        x: 'speed',
        y: 'name',
        text: ({ speed }) => speed.toFixed(2),
        dx: 4,
        textAnchor: 'start',
        fill: INK,
      }),
    ],
  });
}

function bySize(groups) {
  const rows = groups.flatMap((group) => rowsOf([group]).map((row) => ({ ...row, x: group.parameters / 1e6 })));
  const colors = colorsOf(['ddim-wasm', 'torch.onnx.export']);
  return save('model-size', {
    title: 'Forward pass of one image by the size of the model',
    colors,
    x: { type: 'log', label: 'million parameters', grid: true },
    y: { type: 'log', label: 'ms', labelAnchor: 'center', grid: true },
    marginLeft: 64,
    marks: [Plot.dot(rows, { x: 'x', y: 'value', fill: ({ name }) => colors.get(name), r: 4 })],
  });
}

function lines(name, title, groups) {
  const rows = rowsOf(groups);
  const colors = colorsOf(rows.map((row) => row.name));
  const ticks = [...new Set(rows.map(({ x }) => x))];
  const stroke = ({ name }) => colors.get(name);
  return save(name, {
    title,
    colors,
    x: { type: 'log', label: groups[0].label, ticks, tickFormat: String },
    y: {
      type: 'log',
      label: groups[0].unit,
      labelAnchor: 'center',
      grid: true,
      tickFormat: (value) => value.toLocaleString('en'),
    },
    marginLeft: 64,
    marks: [
      Plot.line(rows, { x: 'x', y: 'value', z: 'name', stroke, strokeWidth: 2 }),
      Plot.dot(rows, { x: 'x', y: 'value', fill: stroke, r: 4 }),
    ],
  });
}

/** Bars of every contestant, a facet for each group. */
function bars(name, title, groups, { format = (value) => value.toFixed(value < 10 ? 1 : 0), ...options } = {}) {
  const rows = rowsOf(groups);
  const colors = colorsOf(rows.map((row) => row.name));
  const names = [...colors.keys()];
  const most = new Map(
    groups.map(({ x }) => [x, Math.max(...rows.filter((row) => row.x === x).map(({ value }) => value))]),
  );
  return save(name, {
    title,
    height: 72 + groups.length * (26 + 19 * names.length),
    marginLeft: 220,
    marginRight: 60,
    x: { axis: null, domain: [0, 1] },
    y: { domain: names, label: null },
    fy: { domain: groups.map(({ x }) => x), axis: null, padding: 0.2 },
    ...options,
    marks: [
      Plot.barX(rows, {
        fy: 'x',
        x: ({ x, value }) => value / most.get(x),
        y: 'name',
        fill: (row) => colors.get(row.name),
      }),
      Plot.text(rows, {
        fy: 'x',
        x: ({ x, value }) => value / most.get(x),
        y: 'name',
        text: ({ value }) => format(value),
        dx: 4,
        textAnchor: 'start',
        fill: INK,
      }),
      Plot.text(groups, {
        fy: 'x',
        frameAnchor: 'top-left',
        dy: -12,
        text: ({ x }) => x,
        fontWeight: 'bold',
        fill: INK,
      }),
    ],
  });
}

const NOT_A_PART = ['in all', 'compiling WASM, by itself', 'first pass', 'steady pass'];

function startup(groups) {
  const rows = groups.flatMap((group) =>
    rowsOf([group])
      .filter(({ name }) => !NOT_A_PART.includes(name))
      .map((row) => ({ ...row, part: row.name, value: Math.max(0, row.value) })),
  );
  const bars = groups.map(({ x }) => x);
  const kind = (part) => (/start of Node|page and/.test(part) ? 'start of Node, page and scripts' : part);
  const colors = colorsOf(rows.map(({ part }) => kind(part)));
  return save('startup', {
    title: 'From nothing to the first picture, 50 steps of the embedded model',
    colors,
    height: 72 + 40 * bars.length,
    marginLeft: 235,
    x: { label: 'ms', grid: true },
    y: { domain: bars, label: null },
    marks: [Plot.barX(rows, { x: 'value', y: 'x', fill: ({ part }) => colors.get(kind(part)) })],
  });
}

/** Draws what there are groups for, into plots/ below `target`. @returns Markdown of the pictures by the kind of group. */
export function draw(groups, target) {
  folder = new URL('plots/', target);
  const of = (kind) => groups.filter(({ plot }) => plot === kind);
  const picture = (kind, alt, path) => ({ [kind]: `![${alt}](${path})\n` });
  const drawn = (kind, alt, make) => (of(kind).length > 0 ? picture(kind, alt, make(of(kind))) : {});
  return {
    ...drawn('forward', 'Speed of a forward pass', forwardSpeeds),
    ...(of('forward').length > 0 && picture('model-size', 'Time by the size of the model', bySize(of('forward')))),
    ...drawn('generation', 'Time of a picture', (g) => bars('generation', 'One picture, ms: shorter is faster', g)),
    ...drawn('steps', 'Time by steps', (g) => lines('steps', 'One picture of the embedded model by steps', g)),
    ...drawn('batch', 'Time by batch', (g) => lines('batch', 'Embedded model by images in a batch', g)),
    ...drawn('size', 'Time by image size', (g) => lines('size', 'Embedded model by image size', g)),
    ...drawn('noise', 'Time of noise', (g) => bars('noise', 'Noise, ns a sample: shorter is faster', g)),
    ...drawn('step', 'Time of a step', (g) =>
      bars('step', 'A step, ns an element: shorter is faster', g, { format: (value) => value.toFixed(2) }),
    ),
    ...drawn('startup', 'Time of a start', startup),
    ...drawn('memory', 'Peak memory', (g) => bars('memory', 'Peak memory of loading and one pass, MiB', g)),
  };
}
