import { configure, DDIMPipeline, Generator } from 'ddim-wasm';

// The folder that 'ddim-wasm assets' writes, see package.json.
configure({ assets: 'ddim-wasm/' });

const pipe = await DDIMPipeline.fromPretrained();
const { images } = await pipe.generate({ generator: new Generator(7), numInferenceSteps: 4 });
await pipe.dispose();

images[0].enlarge(8).draw(document.querySelector('#picture'));
const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', images[0].data));
document.querySelector('#hash').textContent = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
