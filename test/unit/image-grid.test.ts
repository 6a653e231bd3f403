import { makeImageGrid, RawImage } from 'ddim-wasm';
import { failure } from '../support.ts';

const image = (...pixels: number[]) => new RawImage(Uint8Array.from(pixels), 2, 1, 1);

test('images stand left to right, top to bottom; places without one are black', () => {
  const grid = makeImageGrid([image(1, 2), image(3, 4), image(5, 6)], 2, 2);
  expect([grid.width, grid.height, grid.channels]).toEqual([4, 2, 1]);
  expect([...grid.data]).toEqual([1, 2, 3, 4, 5, 6, 0, 0]);
});

test('channels stay together', () => {
  const red = new RawImage(Uint8Array.of(255, 0, 0), 1, 1, 3);
  const blue = new RawImage(Uint8Array.of(0, 0, 255), 1, 1, 3);
  expect([...makeImageGrid([red, blue], 2, 1).data]).toEqual([255, 0, 0, 0, 0, 255]);
});

test('enlarge repeats each pixel', () => {
  const large = image(7, 9).enlarge(2);
  expect([large.width, large.height]).toEqual([4, 2]);
  expect([...large.data]).toEqual([7, 7, 9, 9, 7, 7, 9, 9]);
});

test.each([
  ['no array', () => makeImageGrid(image(1, 2) as never, 1, 1), 'TypeError', /^images: expected an array of RawImage/],
  ['no images', () => makeImageGrid([], 1, 1), 'RangeError', /^images: expected 1 to 1 .* got 0/],
  ['too many', () => makeImageGrid([image(1, 2), image(3, 4)], 1, 1), 'RangeError', /^images: .* got 2/],
  ['rows', () => makeImageGrid([image(1, 2)], 0, 1), 'RangeError', /^rows: .* got 0/],
  ['cols', () => makeImageGrid([image(1, 2)], 1, '2' as never), 'TypeError', /^cols: .* got "2"/],
  [
    'sizes',
    () => makeImageGrid([image(1, 2), image(1, 2).enlarge(2)], 1, 2),
    'RangeError',
    /^images\[1\]: expected 2 x 1/,
  ],
  ['scale', () => image(1, 2).enlarge(1.5), 'RangeError', /^scale: .* got 1\.5/],
])('%s', async (_, call, name, message) => {
  const error = await failure(call);
  expect({ name: error.name, message: error.message }).toEqual({ name, message: expect.stringMatching(message) });
});
