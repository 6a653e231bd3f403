// One start, from nothing to the first picture, in Node or in a page; startup.mjs starts it. Returns milliseconds since the
// process or the page began: of the whole (`split` false), or of each part, with onnxruntime loaded first so that its
// functions can be watched. What runs beside something else counts only as long as it is waited for.

const STEPS = 50;
const SHAPE = [1, 1, 32, 32];
const now = () => performance.now();

/** The pictures of this library or by hand. `load(name)` imports a module, `plainModel()` gives what a session is made of. */
async function open(how, { load, plainModel }) {
  if (how.startsWith('ddim-wasm')) {
    const { DDIMPipeline, Generator } = await load('ddim-wasm');
    const options = how.endsWith('workers: 0') ? { workers: 0 } : {};
    return async () => {
      const pipe = await DDIMPipeline.fromPretrained(undefined, options);
      const workers = typeof document === 'object' && options.workers === undefined ? 1 : 0;
      if (pipe.unet.workers !== workers) throw new Error(`${pipe.unet.workers} workers in place of ${workers}`);
      return () => pipe.generate({ generator: new Generator(0), numInferenceSteps: STEPS });
    };
  }
  const { openPlain, generatePlain } = await load('plain');
  return async () => {
    const ort = await load('onnxruntime');
    const session = await openPlain(ort, await plainModel());
    return () => generatePlain(ort, session, { shape: SHAPE, steps: STEPS });
  };
}

/** Replaces a method by one that notes when each call begins and ends. */
function watch(object, name, spans) {
  const original = object[name];
  if (!original) return;
  object[name] = async function (...args) {
    const span = [now(), Infinity];
    spans.push(span);
    try {
      return await original.apply(this, args);
    } finally {
      span[1] = now();
    }
  };
}

/** Length of the union of spans, within [from, to]. */
function covered(spans, from, to) {
  let [sum, end] = [0, from];
  for (const [a, b] of [...spans].sort(([a], [b]) => a - b)) {
    sum += Math.max(0, Math.min(b, to) - Math.max(a, end));
    end = Math.max(end, b);
  }
  return sum;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

export async function start(how, split, host) {
  if (!split) {
    const loaded = await open(how, host);
    const generate = await loaded();
    await generate();
    return { 'in all': now() };
  }
  const begin = now();
  const ort = await host.load('onnxruntime');
  const [reads, compiles, creates, runs] = [[], [], [], []];
  for (const [object, name] of host.readers) watch(object, name, reads);
  host.watched?.();
  for (const name of ['instantiate', 'instantiateStreaming']) watch(WebAssembly, name, compiles);
  watch(ort.InferenceSession, 'create', creates);
  watch(ort.InferenceSession.prototype, 'run', runs);
  const importing = now();
  const loaded = await open(how, host);
  const opening = now();
  const generate = await loaded();
  const opened = now();
  await generate();
  const done = now();
  // The library opens the smallest session first, beside its other work, for onnxruntime to compile.
  const [created, ready] = creates.at(-1);
  const compiled = Math.max(...compiles.map(([, end]) => end));
  const first = runs.map(([a, b]) => b - a);
  runs.length = 0;
  await generate();
  const second = runs.map(([a, b]) => b - a);
  // Of both pictures, since other work of the machine may slow one.
  const steady = Math.min(...[first, second].map((times) => median(times.slice(-20))));
  const passes = first.reduce((sum, time) => sum + time, 0);
  const reading = covered(reads, opening, created);
  return {
    [host.before]: begin,
    'import onnxruntime-web': importing - begin,
    'import of the rest, kernels': opening - importing,
    'reading files': reading,
    "onnxruntime's WASM, building the graph": Math.max(created, compiled) - opening - reading,
    'session creation': ready - Math.max(created, compiled),
    'other work of opening': opened - ready,
    '50 steady passes': STEPS * steady,
    'passes before the engine has tiered up': passes - STEPS * steady,
    'noise, steps, picture, turns of the event loop': done - opened - passes,
    'in all': done,
    'compiling WASM, by itself': compiled - Math.min(...compiles.map(([start]) => start)),
    'first pass': first[0],
    'steady pass': steady,
  };
}
