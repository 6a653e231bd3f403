// The CommonJS build, in a process of its own: require, noise, one picture, and onnxruntime not loaded before it is needed.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fixture } from '../support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function run(code: string): string {
  return execFileSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8' }).trim();
}

test("require('ddim-wasm') draws torch's noise, and the picture that the ES module draws", () => {
  const body = `
    const pipe = await DDIMPipeline.fromPretrained(${JSON.stringify(fixture('pipelines/gray'))});
    const { images } = await pipe.generate({ generator: new Generator(3), numInferenceSteps: 2, eta: 1 });
    await pipe.dispose();
    console.log(new Generator(0).randn([1]).data[0], Buffer.from(images[0].data).toString('hex'));`;
  const cjs = run(`const { DDIMPipeline, Generator } = require('ddim-wasm'); (async () => {${body}})()`);
  const esm = run(`import('ddim-wasm').then(async ({ DDIMPipeline, Generator }) => {${body}})`);
  expect(cjs).toMatch(/^1\.5409960746765137 [0-9a-f]{192}$/);
  expect(esm).toBe(cjs);
});

test.each(['ddim-wasm', 'ddim-wasm/scheduler'])('%s alone loads no onnxruntime', (name) => {
  const loaded = run(`
    const { Generator, DDIMScheduler } = require('${name}');
    new Generator(0).randn([16]);
    new DDIMScheduler().setTimesteps(10);
    console.log(Object.keys(require.cache).filter((path) => path.includes('onnxruntime')).length);`);
  expect(loaded).toBe('0');
});

test('a Generator of one entry serves the other', () => {
  const printed = run(`
    const { randnTensor } = require('ddim-wasm');
    const { Generator } = require('ddim-wasm/scheduler');
    console.log(randnTensor([1], new Generator(0)).data[0]);`);
  expect(printed).toBe('1.5409960746765137');
});
