import { createHash } from 'node:crypto';
import { DDIMPipeline, Generator } from 'ddim-wasm';

const pipe = await DDIMPipeline.fromPretrained();
const { images } = await pipe.generate({ generator: new Generator(7), numInferenceSteps: 4 });
await pipe.dispose();

await images[0].enlarge(8).save('esm.png');
console.log(`esm.png: SHA-256 of the pixels ${createHash('sha256').update(images[0].data).digest('hex')}`);
