import { checkInteger, describe } from './check.js';
import { RawImage } from './image.js';

/**
 * Images of one size in rows and columns, left to right: `make_image_grid` of diffusers. Places without an image are black.
 * @throws {TypeError} no array of images. @throws {RangeError} none, images of different sizes, or more than there are places.
 * @example await makeImageGrid(images, 2, 4).save('grid.png')
 */
export function makeImageGrid(images: readonly RawImage[], rows: number, cols: number): RawImage {
  if (!Array.isArray(images) || !Array.from(images).every((image) => image instanceof RawImage)) {
    throw new TypeError(`images: expected an array of RawImage, got ${describe(images)}`);
  }
  checkInteger('rows', rows, 1, 65536);
  checkInteger('cols', cols, 1, 65536);
  const [first] = images as readonly RawImage[];
  if (!first || images.length > rows * cols) {
    throw new RangeError(`images: expected 1 to ${rows * cols} for ${rows} rows of ${cols}, got ${images.length}`);
  }
  const { width, height, channels } = first;
  if (rows * cols * first.data.length > 2 ** 30) {
    throw new RangeError(
      `rows: expected at most 2^30 bytes in all, got ${rows} x ${cols} images of ${first.data.length}`,
    );
  }
  const stride = cols * width * channels;
  const data = new Uint8Array(rows * height * stride);
  for (const [i, image] of (images as readonly RawImage[]).entries()) {
    if (image.width !== width || image.height !== height || image.channels !== channels) {
      throw new RangeError(
        `images[${i}]: expected ${width} x ${height} ${first.mode}, got ${image.width} x ${image.height} ${image.mode}`,
      );
    }
    const corner = Math.floor(i / cols) * height * stride + (i % cols) * width * channels;
    for (let y = 0; y < height; y++) {
      data.set(image.data.subarray(y * width * channels, (y + 1) * width * channels), corner + y * stride);
    }
  }
  return new RawImage(data, cols * width, rows * height, channels);
}
