import { RawImage } from '../index.js';

/** Each pixel as a square of `scale` x `scale`. */
export function enlarge(image: RawImage, scale: number): RawImage {
  const { width, height, channels } = image;
  const data = new Uint8Array(image.data.length * scale * scale);
  for (let y = 0; y < height * scale; y++) {
    for (let x = 0; x < width * scale; x++) {
      const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      data.set(image.data.subarray(from, from + channels), (y * width * scale + x) * channels);
    }
  }
  return new RawImage(data, width * scale, height * scale, channels);
}

/** Images of one size in rows, as near to a square as they go. Empty places stay black. */
export function grid(images: readonly RawImage[]): RawImage {
  const [first] = images as [RawImage];
  const { width, height, channels } = first;
  const columns = Math.ceil(Math.sqrt(images.length));
  const rows = Math.ceil(images.length / columns);
  const data = new Uint8Array(columns * width * rows * height * channels);
  images.forEach((image, i) => {
    const left = (i % columns) * width;
    const top = Math.floor(i / columns) * height;
    for (let y = 0; y < height; y++) {
      const row = image.data.subarray(y * width * channels, (y + 1) * width * channels);
      data.set(row, ((top + y) * columns * width + left) * channels);
    }
  });
  return new RawImage(data, columns * width, rows * height, channels);
}
