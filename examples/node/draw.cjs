const { createHash } = require('node:crypto');
const { DDIMPipeline, Generator } = require('ddim-wasm');

async function draw() {
  const pipe = await DDIMPipeline.fromPretrained();
  const { images } = await pipe.generate({ generator: new Generator(7), numInferenceSteps: 4 });
  await pipe.dispose();

  await images[0].enlarge(8).save('commonjs.png');
  console.log(`commonjs.png: SHA-256 of the pixels ${createHash('sha256').update(images[0].data).digest('hex')}`);
}

draw();
