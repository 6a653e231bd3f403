// Draws the README's pictures with the library itself: `node scripts/pictures.mjs`, after a build.
import { DDIMPipeline, Generator, makeImageGrid } from '../dist/esm/index.js';

const seeds = (n) => Array.from({ length: n }, (_, seed) => new Generator(seed));
const pipe = await DDIMPipeline.fromPretrained();

const { images } = await pipe.generate({ batchSize: 32, generator: seeds(32) });
await makeImageGrid(images, 4, 8).enlarge(3).save('docs/garments.png');

const shown = [1, 2, 4, 8, 16, 32, 50];
const previews = [];
for await (const step of pipe.stream({ batchSize: 8, generator: seeds(8) })) {
  if (shown.includes(step.step + 1)) previews.push(...step.preview());
}
await makeImageGrid(previews, shown.length, 8).enlarge(3).save('docs/steps.png');
await pipe.dispose();
