import { RawImage, type Tensor } from 'ddim-wasm';

type Bytes = Uint8Array<ArrayBuffer>;

/** [N, C, H, W] around 0 as 8-bit pixels, channels interleaved: for looking at, noise included. */
export function toPixels({ data, shape }: Tensor): Bytes {
  const [count, channels, height, width] = shape as [number, number, number, number];
  const plane = height * width;
  const pixels = new Uint8ClampedArray(data.length);
  for (let image = 0; image < count; image++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = (image * channels + channel) * plane;
      for (let i = 0; i < plane; i++) {
        pixels[(image * plane + i) * channels + channel] = ((data[from + i] as number) / 2 + 0.5) * 255;
      }
    }
  }
  return new Uint8Array(pixels.buffer);
}

/** The pixels of images, one after the other. */
export function joinImages(images: readonly RawImage[]): Bytes {
  const bytes = new Uint8Array(images.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of images) {
    bytes.set(data, at);
    at += data.length;
  }
  return bytes;
}

/** And back. */
export function splitImages(pixels: Uint8Array, width: number, height: number, channels: number): RawImage[] {
  const size = width * height * channels;
  return Array.from(
    { length: pixels.length / size },
    (_, i) => new RawImage(pixels.subarray(i * size, (i + 1) * size), width, height, channels),
  );
}
