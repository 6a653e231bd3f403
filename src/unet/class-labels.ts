import { checkInteger, describe } from '../check.js';
import type { UNetConfig } from '../config/unet.js';
import { checkTensor, type Tensor } from '../tensor.js';

/**
 * Classes of the images: one label for all, one for each, or, for a model whose `classEmbedType` is 'identity', the
 * embeddings themselves, [N, timeEmbeddingDim].
 */
export type ClassLabels = number | readonly number[] | Tensor;

/** Whether a model takes class labels (the constructor of diffusers' UNet2DModel). */
export function hasClasses(config: UNetConfig): boolean {
  return (config.classEmbedType ?? null) !== null || (config.numClassEmbeds ?? null) !== null;
}

/**
 * Checks class labels for a batch: there are some where the model has classes, and none where it has not.
 * @returns one label for each image, or the tensor of embeddings.
 */
export function checkClassLabels(
  config: UNetConfig,
  labels: unknown,
  batchSize: number,
): number[] | Tensor | undefined {
  const name = 'classLabels';
  if (!hasClasses(config)) {
    if (labels === undefined) return undefined;
    throw new RangeError(`${name}: expected none, for the model has no classes, got ${describe(labels)}`);
  }
  if (config.classEmbedType === 'identity') {
    const { shape } = checkTensor(name, labels);
    if (shape.length === 2 && shape[0] === batchSize) return labels as Tensor;
    throw new RangeError(`${name}: expected the shape [${batchSize}, D], got [${shape.join(', ')}]`);
  }
  const embeds = config.numClassEmbeds;
  const high = config.classEmbedType === 'timestep' || typeof embeds !== 'number' ? 2 ** 31 : embeds;
  if (labels === undefined) {
    throw new TypeError(
      `${name}: expected an integer in 0..${high - 1} for each image, for the model has classes, got undefined`,
    );
  }
  if (!Array.isArray(labels)) return new Array(batchSize).fill(checkInteger(name, labels, 0, high - 1));
  if (labels.length !== batchSize) {
    throw new RangeError(`${name}: expected ${batchSize}, one for each image, got ${labels.length}`);
  }
  return labels.map((label, i) => checkInteger(`${name}[${i}]`, label, 0, high - 1));
}
