// The page: settings in, pictures out. All work is done in worker.ts.
import { Generator, randnTensor } from 'ddim-wasm';
import { Film } from './film.js';
import { type Dropped, fromDrop, fromInput } from './folder.js';
import { toPixels } from './pixels.js';
import { type NodeHashes, Proof } from './proof.js';
import type { Answer, Device, Model, Request } from './protocol.js';
import { limit, readHash, type Settings, seedsOf, writeHash } from './settings.js';
import { Stage, type View } from './stage.js';

const EMBEDDED = 'the clothes';
/** Long enough for a slider to come to rest, short enough to seem at once. */
const REST = 120;

const find = <E extends HTMLElement = HTMLInputElement>(id: string) => document.getElementById(id) as E;
const fields = { seed: find('seed'), steps: find('steps'), eta: find('eta'), batch: find('batch') };
const [drawButton, download, embedded] = ['draw', 'download', 'embedded'].map(find<HTMLButtonElement>) as [
  HTMLButtonElement,
  HTMLButtonElement,
  HTMLButtonElement,
];
const timeline = find('step');
const progress = find<HTMLProgressElement>('progress');
const radios = (name: string) => [...document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)];
const chosen = (name: string) => radios(name).find(({ checked }) => checked)?.value;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
const ask = (request: Request, transfer: Transferable[] = []) => worker.postMessage(request, transfer);

/** What the embedded model is known to be before it is loaded: its noise shows at once. */
let model: Pick<Model, 'name' | 'width' | 'height' | 'channels' | 'classes' | 'device'> = {
  name: EMBEDDED,
  width: 32,
  height: 32,
  channels: 1,
  classes: false,
  device: 'wasm',
};

/** Where a model comes from. */
interface Source {
  readonly name: string;
  /** An address, or files by their paths. */
  readonly files: string | Record<string, Blob>;
}

const OURS: Source = { name: EMBEDDED, files: new URL('model', document.baseURI).href };
/** Where the model comes from. */
let source = OURS;
/** What was asked for, by the number of the request: the last one counts. */
const wanted: Source[] = [];

/** Bytes of a model that may be held several times. */
const SMALL = 64 * 2 ** 20;

/**
 * Of a small model one worker for each real core, up to four: half of what the browser counts. On one core worker.ts draws
 * by itself; a large one has a worker of its own, which can be ended in the middle of a long step.
 */
function workersFor({ files }: Source, device: Device): number {
  if (device !== 'wasm') return 0;
  const bytes = typeof files === 'string' ? 0 : Object.values(files).reduce((sum, { size }) => sum + size, 0);
  if (bytes > SMALL) return 1;
  const cores = Math.min(4, Math.ceil(navigator.hardwareConcurrency / 2));
  return cores > 1 ? cores : 0;
}

let settings = readHash(location.hash);
let run = 0;
let busy = false;
let loaded = false;
let loading = false;
let film: Film;
/** Whether the pictures follow the drawing; not after somebody took hold of the timeline. */
let following = true;
let timer: ReturnType<typeof setTimeout> | undefined;

const stage = new Stage(find('pictures'), find('strip'), () => {
  stage.showStrip(film, view());
  proof.show(stage.selected);
});
const proof = new Proof();
const view = () => chosen('view') as View;

function say(text: string): void {
  find('status').textContent = text;
}

function complain(message: string): void {
  const box = find('error');
  box.textContent = message;
  box.hidden = message === '';
}

/** Shows the settings and keeps them in the address. */
function showSettings(): void {
  for (const [key, field] of Object.entries(fields)) {
    const value = String(settings[key as keyof Settings]);
    if (field.value !== value) field.value = value;
  }
  // The address may ask for more steps than the slider has.
  fields.steps.max = String(Math.max(100, settings.steps));
  fields.steps.value = String(settings.steps);
  find('steps-value').textContent = String(settings.steps);
  find('eta-value').textContent = settings.eta.toFixed(2);
  find('batch-value').textContent = String(settings.batch);
}

function show(step: number): void {
  timeline.value = String(step);
  const moment = step === 0 ? 'noise' : `step ${step} of ${film.steps}`;
  timeline.setAttribute('aria-valuetext', moment);
  find('moment').textContent = moment;
  stage.show(film, step, view());
}

function setBusy(value: boolean): void {
  busy = value;
  drawButton.textContent = value ? 'Stop' : 'Draw';
}

/** Shows the noise of the settings, and lets the worker draw what comes of it. */
function draw(): void {
  // Not at every move of a slider: WebKit throws at the 101st within ten seconds.
  if (timer !== undefined) history.replaceState(null, '', writeHash(settings));
  clearTimeout(timer);
  timer = undefined;
  stop();
  const seeds = seedsOf(settings);
  const { channels, height, width } = model;
  const noise = randnTensor(
    [seeds.length, channels, height, width],
    seeds.map((seed) => new Generator(seed)),
  );
  film = new Film(settings.steps, toPixels(noise));
  following = true;
  timeline.max = String(settings.steps);
  progress.max = settings.steps;
  progress.value = 0;
  stage.prepare(seeds, model);
  show(0);
  stage.showStrip(film, view());
  proof.expect(settings, model, source === OURS, stage.selected);
  download.disabled = false;
  if (!loaded || loading) return;
  complain('');
  setBusy(true);
  say('Drawing');
  ask({ type: 'draw', run, seeds, steps: settings.steps, eta: settings.eta });
}

/** Ends the run at once: what the worker still sends of it is not looked at. */
function stop(): void {
  run++;
  if (!busy) return;
  ask({ type: 'stop' });
  setBusy(false);
  say(`Stopped after ${film.length} of ${film.steps} steps`);
}

function change(given: Partial<Settings>, rest = REST): void {
  settings = { ...settings, ...given };
  showSettings();
  clearTimeout(timer);
  timer = setTimeout(draw, rest);
}

function load(from: Source, device: Device): void {
  stop();
  complain('');
  wanted.push(from);
  loading = true;
  drawButton.disabled = true;
  say(`Loading ${from === OURS ? 'the model and its runtime' : from.name}`);
  ask({
    type: 'load',
    id: wanted.length - 1,
    name: from.name,
    source: from.files,
    device,
    workers: workersFor(from, device),
  });
}

/** Shows what the next picture is drawn with. */
function settle(): void {
  loading = false;
  drawButton.disabled = !loaded;
  embedded.hidden = source === OURS;
  for (const radio of radios('device')) radio.checked = radio.value === model.device;
  if (!loaded) return;
  const { name, width, height, parameters, classes } = model as Model;
  const millions = (parameters / 1e6).toFixed(parameters < 1e6 ? 3 : 1);
  find('model').textContent =
    `Now drawing with ${name}: ${width} x ${height} pixels, ${millions} million parameters${classes ? ', class 0' : ''}.`;
}

const answers: { [T in Answer['type']]: (answer: Extract<Answer, { type: T }>) => void } = {
  loaded({ id, model: now }) {
    model = now;
    loaded = true;
    source = wanted[id] as Source;
    if (id < wanted.length - 1) return;
    settle();
    if (settings.steps > now.maxSteps) change({ steps: now.maxSteps }, 0);
    else draw();
  },
  notLoaded({ id, message }) {
    if (id < wanted.length - 1) return;
    settle();
    say(`Could not load ${(wanted[id] as Source).name}`);
    complain(message);
  },
  frame({ run: of, frame }) {
    if (of !== run) return;
    film.add(frame);
    progress.value = frame.step;
    if (calm.matches) return;
    stage.showStrip(film, view());
    if (following) show(frame.step);
  },
  done({ run: of, pixels, hashes, milliseconds }) {
    if (of !== run) return;
    film.finish(pixels);
    setBusy(false);
    stage.showStrip(film, view());
    if (following) show(film.steps);
    proof.settle(hashes, stage.selected);
    const count = hashes.length === 1 ? '1 picture' : `${hashes.length} pictures`;
    say(`${count} in ${(milliseconds / 1000).toFixed(1)} s`);
  },
  failed({ run: of, message }) {
    if (of !== run) return;
    setBusy(false);
    say('Not drawn');
    complain(message);
  },
  png({ bytes }) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([bytes], { type: 'image/png' }));
    const { seed, steps, eta, batch } = settings;
    link.download = `seed${seed}-steps${steps}-eta${eta}-batch${batch}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  },
};
worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => answers[data.type](data as never));
worker.addEventListener('error', ({ message }) => {
  setBusy(false);
  say('Not drawn');
  complain(`The worker failed (${message || 'it could not be started'}); reload the page, or try a newer browser.`);
});

for (const [key, field] of Object.entries(fields)) {
  field.addEventListener('input', () => {
    // A number that is being typed may be none yet.
    if (field.value !== '') change({ [key]: limit(key as keyof Settings, field.valueAsNumber) });
  });
}
fields.seed.addEventListener('change', showSettings);
find('shuffle').addEventListener('click', () => {
  const [seed] = crypto.getRandomValues(new Uint32Array(1)) as unknown as [number];
  change({ seed: seed % 100_000 }, 0);
});
find('controls').addEventListener('submit', (event) => {
  event.preventDefault();
  if (busy) stop();
  else if (loaded) draw();
});
addEventListener('keydown', ({ key }) => key === 'Escape' && stop());
addEventListener('hashchange', () => {
  settings = readHash(location.hash);
  showSettings();
  draw();
});

timeline.addEventListener('input', () => {
  const step = Math.min(timeline.valueAsNumber, film.length);
  following = busy && step === film.length;
  show(step);
});
find('strip').addEventListener('click', ({ target }) => {
  const moments = [...find('strip').children];
  const at = moments.indexOf(target as Element);
  if (at < 0) return;
  timeline.value = String(Math.round((at * film.steps) / (moments.length - 1)));
  timeline.dispatchEvent(new Event('input'));
});
for (const radio of radios('view')) {
  radio.addEventListener('change', () => {
    show(timeline.valueAsNumber);
    stage.showStrip(film, view());
  });
}
for (const radio of radios('device')) {
  radio.addEventListener('change', () => load(loading ? (wanted.at(-1) as Source) : source, radio.value as Device));
}

download.addEventListener('click', () => {
  const { width, height } = model;
  const pixels = film.at(timeline.valueAsNumber)[view()].slice();
  const scale = Math.max(1, Math.floor(256 / Math.max(width, height)));
  ask({ type: 'png', pixels, count: pixels.length / (width * height * model.channels), scale }, [pixels.buffer]);
});

function take({ name, files }: Dropped): void {
  if (Object.keys(files).length === 0) {
    complain('No files came with that; drop or choose a folder.');
    return;
  }
  load({ name, files }, chosen('device') as Device);
}
const folder = find('folder');
folder.addEventListener('change', () => {
  if (folder.files?.length) take(fromInput(folder.files));
  folder.value = '';
});
embedded.addEventListener('click', () => load(OURS, chosen('device') as Device));
const zone = document.documentElement;
addEventListener('dragover', (event) => {
  event.preventDefault();
  zone.classList.add('dropping');
});
addEventListener('dragleave', ({ relatedTarget }) => relatedTarget ?? zone.classList.remove('dropping'));
addEventListener('drop', (event) => {
  event.preventDefault();
  zone.classList.remove('dropping');
  if (event.dataTransfer) fromDrop(event.dataTransfer).then(take, (error: Error) => complain(error.message));
});

async function offerWebGpu(): Promise<void> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<object | null> } };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  const radio = radios('device').find(({ value }) => value === 'webgpu') as HTMLInputElement;
  radio.disabled = !adapter;
  find('device-help').textContent = adapter
    ? 'WebGPU rounds as the graphics card does: not the same bits.'
    : 'This browser has no WebGPU, or finds no graphics card for it.';
}

showSettings();
draw();
load(OURS, 'wasm');
offerWebGpu();
fetch(new URL('hashes.json', document.baseURI))
  .then((response) => response.json())
  .then((hashes: NodeHashes) => {
    proof.know(hashes);
    proof.show(stage.selected);
  })
  .catch(() => {});
