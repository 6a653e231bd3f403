import ddim = require('ddim-wasm');

export async function draw(): Promise<Uint8Array[]> {
  const pipe = await ddim.DDIMPipeline.fromPretrained({ 'config.json': new Uint8Array(0) });
  const [images] = await pipe.generate({ generator: [new ddim.Generator(1)], returnDict: false });
  return images.map((image) => image.toPNG());
}
