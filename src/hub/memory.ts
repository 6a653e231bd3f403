import { checkBytes, describe } from '../check.js';
import { readBlob } from '../platform/pieces.js';
import type { LazyFile } from '../platform/types.js';
import { checkInside, type Folder, limitOf } from './folder.js';

/**
 * The files of a model in memory, by their paths below its folder: 'model_index.json', 'unet/config.json'. A Blob is read
 * when it is needed: files that were dropped on a page can be given as they are.
 */
export type ModelFiles = Readonly<Record<string, Uint8Array | LazyFile>>;

const isBytes = (value: unknown): value is Uint8Array =>
  Object.prototype.toString.call(value) === '[object Uint8Array]';
const isBlob = (value: unknown): value is LazyFile =>
  typeof value === 'object' && value !== null && typeof (value as LazyFile).arrayBuffer === 'function';

/** @throws {TypeError} neither a name nor files. @throws {Error} a path that leads out of the folder. */
export function checkModel(model: unknown): asserts model is string | ModelFiles {
  if (typeof model === 'string') return;
  const files = typeof model === 'object' && model !== null && !isBytes(model) ? Object.entries(model) : [];
  if (files.length === 0) {
    throw new TypeError(`model: expected a string, or an object of files by their paths, got ${describe(model)}`);
  }
  for (const [path, content] of files) {
    checkInside(path);
    if (!isBytes(content) && !isBlob(content)) {
      throw new TypeError(`model[${describe(path)}]: expected a Uint8Array or a Blob, got ${describe(content)}`);
    }
  }
}

/** The files given, as a folder. */
export function openFiles(given: ModelFiles): Folder {
  const files = new Map(Object.entries(given));
  const lent = new Set([...files.values()].filter(isBytes).map(({ buffer }) => buffer));
  return {
    name: 'model',
    lends: ({ buffer }) => lent.has(buffer),
    label: (path) => path,
    find: async (path) => {
      const content = files.get(path);
      if (content === undefined || isBytes(content)) return content;
      if (!(content instanceof Blob)) return new Uint8Array(await content.arrayBuffer());
      checkBytes(content.size, limitOf(path), path);
      return readBlob(content);
    },
    has: async (path) => files.has(path),
    locate: async () => undefined,
    expect: async () => {},
  };
}
