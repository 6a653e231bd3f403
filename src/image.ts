import { encode } from 'fast-png';
import { checkInteger, checkString, describe } from './check.js';
import { writeFile } from './hub/files.js';
import { eachChunk, kernels } from './kernels/arena.js';
import type { Tensor } from './tensor.js';

/** ImageData where the DOM's types are there, else an object of the same form. */
export type PageImageData = typeof globalThis extends { ImageData: { prototype: infer T } }
  ? T
  : { readonly data: Uint8ClampedArray; readonly width: number; readonly height: number; readonly colorSpace: string };

/** What a HTMLCanvasElement and an OffscreenCanvas have in common. */
export interface Canvas {
  width: number;
  height: number;
  getContext(kind: '2d'): unknown;
}

/**
 * An image of 8-bit pixels: what diffusers returns as a PIL image.
 *
 * @example
 * await image.save('test.png');              // Node
 * canvas.getContext('2d').putImageData(image.toImageData(), 0, 0); // browsers
 * sharp(image.data, { raw: { width: image.width, height: image.height, channels: image.channels } });
 */
export class RawImage {
  /** Said outright, since bundlers rename classes. */
  static readonly name = 'RawImage';

  /** Pixels, row by row, channels interleaved: height * width * channels bytes. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** 1 (grey, PIL's L), 3 (RGB) or 4 (RGBA). */
  readonly channels: number;

  /** @throws {TypeError|RangeError} data of another type or length than the sizes call for. */
  constructor(data: Uint8Array, width: number, height: number, channels: number) {
    checkInteger('width', width, 1, 1 << 24);
    checkInteger('height', height, 1, 1 << 24);
    checkInteger('channels', channels, 1, 4);
    if (channels === 2) throw new RangeError('channels: expected 1, 3 or 4, got 2');
    if (!/^\[object Uint8(Clamped)?Array\]$/.test(Object.prototype.toString.call(data))) {
      throw new TypeError(`data: expected a Uint8Array, got ${describe(data)}`);
    }
    if (data.length !== width * height * channels) {
      throw new RangeError(`data: expected ${width * height * channels} bytes, got ${data.length}`);
    }
    this.data = data;
    this.width = width;
    this.height = height;
    this.channels = channels;
  }

  /** PIL's name for the kind of pixels: 'L', 'RGB' or 'RGBA'. */
  get mode(): 'L' | 'RGB' | 'RGBA' {
    return this.channels === 1 ? 'L' : this.channels === 3 ? 'RGB' : 'RGBA';
  }

  /** The image with each pixel as a square of `scale` x `scale`: small pictures, made visible. */
  enlarge(scale: number): RawImage {
    checkInteger('scale', scale, 1, 256);
    if (this.data.length * scale * scale > 2 ** 30)
      throw new RangeError(`scale: expected at most 2^30 bytes, got ${scale}`);
    const { width, height, channels } = this;
    const data = new Uint8Array(this.data.length * scale * scale);
    for (let y = 0; y < height * scale; y++) {
      for (let x = 0; x < width * scale; x++) {
        const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
        data.set(this.data.subarray(from, from + channels), (y * width * scale + x) * channels);
      }
    }
    return new RawImage(data, width * scale, height * scale, channels);
  }

  /** The bytes of a PNG file. */
  toPNG(): Uint8Array {
    const { data, width, height, channels } = this;
    return encode({ data, width, height, channels, depth: 8 });
  }

  /** A PNG as a Blob, for downloads and object URLs. */
  async toBlob(): Promise<Blob> {
    return new Blob([this.toPNG() as Uint8Array<ArrayBuffer>], { type: 'image/png' });
  }

  /** RGBA bytes, opaque unless the image has an alpha channel. */
  toRGBA(): Uint8ClampedArray<ArrayBuffer> {
    const { data, channels } = this;
    const pixels = this.width * this.height;
    const rgba = new Uint8ClampedArray(pixels * 4).fill(255);
    for (let i = 0; i < pixels; i++) {
      for (let c = 0; c < 3; c++) rgba[4 * i + c] = data[channels * i + (channels === 1 ? 0 : c)] as number;
      if (channels === 4) rgba[4 * i + 3] = data[4 * i + 3] as number;
    }
    return rgba;
  }

  /** An ImageData for a canvas; where there is no such class, an object of the same form. */
  toImageData(): PageImageData {
    const { width, height } = this;
    const data = this.toRGBA();
    if (typeof ImageData === 'function') return new ImageData(data, width, height);
    return { data, width, height, colorSpace: 'srgb' } as PageImageData;
  }

  /** Draws the image into a canvas, which takes its size. */
  draw(canvas: Canvas): void {
    if (typeof canvas?.getContext !== 'function') {
      throw new TypeError(`canvas: expected a canvas, got ${describe(canvas)}`);
    }
    canvas.width = this.width;
    canvas.height = this.height;
    const context = canvas.getContext('2d') as { putImageData(data: PageImageData, x: number, y: number): void } | null;
    if (!context) throw new TypeError('canvas: expected one that can give a 2d context');
    context.putImageData(this.toImageData(), 0, 0);
  }

  /** Writes a PNG file, whole or not at all. @throws {TypeError} a path that is no string. */
  async save(path: string): Promise<void> {
    checkString('path', path);
    if (!/\.png$/i.test(path))
      throw new RangeError(`path: expected a file name that ends in .png, got ${describe(path)}`);
    await writeFile(path, this.toPNG());
  }
}

/** The shape of a batch of images, taken apart. */
function dimensions(name: string, tensor: Tensor): [number, number, number, number] {
  if (tensor.shape.length !== 4) {
    throw new RangeError(`${name}: expected the shape [N, C, H, W], got [${tensor.shape.join(', ')}]`);
  }
  return tensor.shape as unknown as [number, number, number, number];
}

/** Model space to [0, 1], NCHW: `(image / 2 + 0.5).clamp(0, 1)`. */
export function denormalize(sample: Tensor): Tensor {
  const data = new Float32Array(sample.data.length);
  const k = kernels();
  const [from, to] = k.buffers as [Float32Array, Float32Array];
  const [pFrom, pTo] = k.pointers as [number, number];
  eachChunk(data.length, (start, count) => {
    from.set(sample.data.subarray(start, start + count));
    k.toUnit(count, pFrom, pTo);
    data.set(to.subarray(0, count), start);
  });
  return { data, shape: [...sample.shape] };
}

/** NCHW to NHWC: `image.permute(0, 2, 3, 1)`. */
export function channelsLast(images: Tensor): Tensor {
  const [n, c, h, w] = dimensions('images', images);
  const data = new Float32Array(images.data.length);
  const plane = h * w;
  for (let image = 0; image < n; image++) {
    for (let channel = 0; channel < c; channel++) {
      const from = (image * c + channel) * plane;
      const to = image * plane * c + channel;
      for (let i = 0; i < plane; i++) data[to + i * c] = images.data[from + i] as number;
    }
  }
  return { data, shape: [n, h, w, c] };
}

/** Images in [0, 1], NCHW, to 8 bits: `(images * 255).round().astype("uint8")`, halves to even, as numpy_to_pil. */
export function toRawImages(images: Tensor): RawImage[] {
  const [n, c, h, w] = dimensions('images', images);
  const plane = h * w;
  const k = kernels();
  const from = k.buffers[0] as Float32Array;
  const [pFrom, pTo] = k.pointers as [number, number];
  return Array.from({ length: n }, (_, image) => {
    const data = new Uint8Array(plane * c);
    for (let channel = 0; channel < c; channel++) {
      const source = (image * c + channel) * plane;
      eachChunk(plane, (start, count) => {
        from.set(images.data.subarray(source + start, source + start + count));
        k.toBytes(count, pFrom, pTo, 1);
        for (let i = 0; i < count; i++) data[(start + i) * c + channel] = k.bytes[pTo + i] as number;
      });
    }
    return new RawImage(data, w, h, c);
  });
}
