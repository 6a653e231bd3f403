// Peak resident memory of a process that loads a model and runs one forward pass: from a checkpoint with this library, with
// and without fast convolutions, and from the file that torch.onnx.export wrote, with onnxruntime-web alone.
//
//     UNETS=DIR node memory.mjs                DIR is what export_unets.py wrote
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const MODELS = ['embedded', 'cifar10-32', 'celebahq-256'];
const WAYS = ['ddim-wasm', 'winograd: false', 'exported ONNX'];

async function run(name, how) {
  const folder = join(process.env.UNETS, name);
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

/** One process of each kind, in MiB. */
export function measure() {
  return MODELS.filter((name) => existsSync(join(process.env.UNETS, name, 'export.onnx'))).map((name) => {
    const peak = (way) => Number(execFileSync(process.execPath, [self, name, way], { encoding: 'utf8' }));
    return {
      title: `Peak memory of loading ${name} and one forward pass`,
      plot: 'memory',
      x: name,
      unit: 'MiB',
      perCall: 1,
      reference: 'exported ONNX',
      relation: 'time',
      times: Object.fromEntries(WAYS.map((way) => [way, [peak(way)]])),
    };
  });
}

if (process.argv[1] === self) {
  const [name, how] = process.argv.slice(2);
  if (how) await run(name, how);
  else for (const { title, times } of measure()) console.log(title, times);
}
