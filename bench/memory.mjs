// Peak resident memory of a process that loads a model and runs one forward pass: from a checkpoint with this library, with
// and without fast convolutions, and from the file that torch.onnx.export wrote, with onnxruntime-web alone.
//
//     UNETS=DIR node memory.mjs [NAME]         DIR is what export_unets.py wrote; NAME is cifar10-32 if left out
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './harness.mjs';

const [name = 'cifar10-32', how] = process.argv.slice(2);
const folder = join(process.env.UNETS ?? '.', name);
const WAYS = ['ddim-wasm', 'winograd: false', 'exported ONNX'];
const PROCESSES = Number(process.env.BENCH_PROCESSES ?? 5);

async function run() {
  const { Generator, UNet2DModel } = await import('../dist/esm/index.js');
  if (how !== 'exported ONNX') {
    const unet = await UNet2DModel.fromPretrained(folder, { winograd: how === 'ddim-wasm' });
    const { sampleSize, inChannels } = unet.config;
    await unet.forward(new Generator(0).randn([1, inChannels, sampleSize, sampleSize]), 500);
  } else {
    const ort = await import('onnxruntime-web');
    const { in_channels: channels, sample_size: size } = JSON.parse(readFileSync(join(folder, 'config.json')));
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
    const session = await ort.InferenceSession.create(readFileSync(join(folder, 'export.onnx')), {
      executionProviders: ['wasm'],
      graphOptimizationLevel: 'all',
    });
    const shape = [1, channels, size, size];
    await session.run({
      sample: new ort.Tensor('float32', new Generator(0).randn(shape).data, shape),
      timestep: new ort.Tensor('int64', [500n], [1]),
    });
  }
  console.log(process.resourceUsage().maxRSS / 1024);
}

if (how) await run();
else {
  const peaks = Object.fromEntries(WAYS.map((way) => [way, []]));
  for (let i = 0; i < PROCESSES; i++) {
    for (const way of WAYS) {
      const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), name, way], { encoding: 'utf8' });
      peaks[way].push(Number(output));
    }
  }
  for (const way of WAYS) console.log(`${way.padEnd(16)} ${Math.round(median(peaks[way]))} MiB at the peak`);
}
