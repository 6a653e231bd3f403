import { join } from 'node:path';
import { DDIMPipeline, Generator, makeImageGrid, type RawImage } from '../index.js';
import { type GenerateArguments, parseGenerate } from './options.js';

interface Job {
  generator: Generator | Generator[];
  /** A name for each image. */
  names: string[];
}

/** The batches to run: parts of a list of seeds, or one batch from one generator, as diffusers draws it. */
function jobs({ seeds, batch }: GenerateArguments): Job[] {
  if (seeds && 'list' in seeds) {
    const { list } = seeds;
    return Array.from({ length: Math.ceil(list.length / batch) }, (_, i) => {
      const part = list.slice(i * batch, (i + 1) * batch);
      return { generator: part.map((seed) => new Generator(seed)), names: part.map((seed) => `seed-${seed}`) };
    });
  }
  const generator = new Generator();
  if (seeds) generator.manualSeed(seeds.one);
  else generator.seed();
  const name = `seed-${seeds ? seeds.one : generator.initialSeed()}`;
  return [{ generator, names: Array.from({ length: batch }, (_, i) => (batch === 1 ? name : `${name}-${i}`)) }];
}

const isPng = (path: string) => /\.png$/i.test(path);

/** Where the images go, checked before they are drawn: one file, or a directory. */
function destination({ out, grid }: GenerateArguments, count: number): string {
  if (out === undefined) return grid ? 'grid.png' : '.';
  if (grid && !isPng(out))
    throw new RangeError(`--out: expected a file name that ends in .png for --grid, got '${out}'`);
  if (!grid && count > 1 && isPng(out)) {
    throw new RangeError(`--out: expected a directory for ${count} images (or --grid for one file), got '${out}'`);
  }
  return out;
}

/** All images in one, as near to a square as they go. */
function square(images: readonly RawImage[]): RawImage {
  const cols = Math.ceil(Math.sqrt(images.length));
  return makeImageGrid(images, Math.ceil(images.length / cols), cols);
}

/** Draws the images and returns the files written. */
export async function generate(args: string[]): Promise<string[]> {
  const options = parseGenerate(args);
  const work = jobs(options);
  const target = destination(
    options,
    work.reduce((n, job) => n + job.names.length, 0),
  );
  const { device, workers } = options;
  const pipe = await DDIMPipeline.fromPretrained(options.model, { ...options.pretrained, device, workers });
  const images: RawImage[] = [];
  const names: string[] = [];
  try {
    for (const [i, job] of work.entries()) {
      pipe.setProgressBarConfig({ desc: work.length > 1 ? `batch ${i + 1}/${work.length}` : '' });
      const result = await pipe.generate({
        batchSize: job.names.length,
        generator: job.generator,
        eta: options.eta,
        numInferenceSteps: options.steps,
        useClippedModelOutput: options.clipped,
        ...(options.classLabel !== undefined && { classLabels: options.classLabel }),
      });
      images.push(...result.images.map((image) => image.enlarge(options.scale)));
      names.push(...job.names);
    }
  } finally {
    await pipe.dispose();
  }
  const files = options.grid
    ? [{ path: target, image: square(images) }]
    : images.map((image, i) => ({ path: isPng(target) ? target : join(target, `${names[i]}.png`), image }));
  for (const { path, image } of files) await image.save(path);
  return files.map(({ path }) => path);
}
