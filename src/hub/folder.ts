import { MAX_JSON } from '../config/json-text.js';

/**
 * The files of a model, wherever they lie: a directory, a URL, a repository of the Hub. Paths are relative and use '/'.
 */
export interface Folder {
  /** How messages name it. */
  readonly name: string;
  /** What it means, and what to do, where a file is not there: the place has only a part of the model. Else undefined. */
  readonly absent?: string;
  /** How messages name a file in it. */
  label(path: string): string;
  /**
   * A file's bytes, or undefined where there is none. The caller must not write to them.
   * @throws {Error} JSON over its limit, before it is read if the place can tell.
   */
  find(path: string): Promise<Uint8Array | undefined>;
  /** Whether there is such a file, without fetching it where the place can tell. */
  has(path: string): Promise<boolean>;
  /** Whether bytes that `find` gave belong to someone else: they must neither be handed over to another thread nor discarded. */
  lends?(bytes: Uint8Array): boolean;
  /** The file's place on disk, fetched if need be; undefined where there is none (a browser, a URL). */
  locate(path: string): Promise<string | undefined>;
  /** Says which files will be read next: they are fetched side by side, and count in one total of the progress. */
  expect(paths: readonly string[]): Promise<void>;
}

/** Most bytes that a file of that name may have. */
export const limitOf = (path: string): number => (path.endsWith('.json') ? MAX_JSON : Infinity);

const refused = (path: string, why: string): Error =>
  new Error(`refused the path ${JSON.stringify(path.slice(0, 200))}, ${why}`);

/**
 * Checks a path that came from outside, such as a list of files.
 * @throws {Error} one that leads out of the folder, on whatever system, or that no list of files has.
 */
export function checkInside(path: string): void {
  const parts = path.split('/');
  const inside = parts.every((part) => part !== '' && part !== '.') && !path.split(/[\\/]/).includes('..');
  if (!inside || /^\\|^[A-Za-z]:[\\/]/.test(path)) throw refused(path, "which leads out of the model's folder");
}

/** Whether every system takes it for a path of the same names. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
export const isPortable = (path: string): boolean => !/[\\\u0000-\u001f:]/.test(path);

/**
 * Checks a path that is asked for; it may come from a file, such as an index of shards.
 * @throws {Error} one that leads out of the folder, or that is not the same on every system.
 */
export function checkPath(path: string): string {
  checkInside(path);
  if (isPortable(path)) return path;
  throw refused(path, 'whose colon, backslash or control character may mean something else on another system');
}

/** A folder within a folder. */
export function sub(folder: Folder, path: string): Folder {
  const inner = (file: string) => `${checkPath(path)}/${checkPath(file)}`;
  return {
    name: folder.label(path),
    absent: folder.absent,
    lends: (bytes) => folder.lends?.(bytes) ?? false,
    label: (file) => folder.label(inner(file)),
    find: (file) => folder.find(inner(file)),
    has: (file) => folder.has(inner(file)),
    locate: (file) => folder.locate(inner(file)),
    expect: (files) => folder.expect(files.map(inner)),
  };
}
