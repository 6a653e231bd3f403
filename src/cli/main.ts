#!/usr/bin/env node
import { assets } from './assets.js';
import { convert } from './convert.js';
import { generate } from './generate.js';
import { info } from './info.js';

const USAGE = `ddim-wasm: draws images with a diffusion model, the same pixels for the same seed everywhere.

  ddim-wasm generate [options]     draw images
      --model ID|DIR|URL  a model of the Hub, or a folder as diffusers saves it; the embedded model if left out
      --seed N          one generator for the whole batch; a random seed if left out
      --seeds A-B       one image for each seed from A to B
      --steps N         denoising steps (50)
      --eta X           0 is DDIM, 1 is DDPM (0)
      --batch N         images at a time (1; 16 with --seeds)
      --class-label N   the class to draw, for a model that has classes
      --clipped         derive the noise anew from the clipped prediction
      --device D        wasm, or cpu with onnxruntime-node installed (wasm)
      --workers N       threads that the images of a batch are spread over, on the wasm device (0)
      --out FILE|DIR    where the PNG goes, or the PNGs of several images
      --grid            all images in one PNG
      --scale N         enlarge each pixel N times (1)
  ddim-wasm info [MODEL]           describe a model, and time a step of it here
  ddim-wasm convert MODEL --out DIR  write it with unet/model.onnx, weights within, for any ONNX runtime
  ddim-wasm assets DIR             copy what a web page fetches, for bundlers that do not, or none (docs/bundlers.md)
      --webgpu          also what device: 'webgpu' needs
  ddim-wasm help                   this text

Wherever a model is read:
      --variant V       a set of weights, such as fp16
      --revision R      a branch, tag or commit of the Hub (main)
      --token T         a token of the Hub; HF_TOKEN and the saved one are found by themselves
      --cache-dir DIR   where downloads are kept (where Python's huggingface_hub keeps them)
      --offline         read what has been downloaded before, and nothing else`;

async function main([command, ...args]: string[]): Promise<void> {
  if (command === undefined || command === 'help' || command === '--help' || command === '-h') {
    console.log(USAGE);
  } else if (args.includes('--help') || args.includes('-h')) {
    console.log(USAGE);
  } else if (command === 'generate') {
    const files = await generate(args);
    if (process.stderr.isTTY) for (const file of files) console.error(`wrote ${file}`);
  } else if (command === 'info') {
    for (const text of await info(args)) console.log(text);
  } else if (command === 'convert') {
    for (const file of await convert(args)) if (process.stderr.isTTY) console.error(`wrote ${file}`);
  } else if (command === 'assets') {
    for (const file of await assets(args)) if (process.stderr.isTTY) console.error(`wrote ${file}`);
  } else {
    throw new RangeError(`command: expected generate, info, convert, assets or help, got '${command}'`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`ddim-wasm: ${message.replace(/\s+/g, ' ')}`);
  process.exitCode = 1;
});
