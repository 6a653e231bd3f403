import { platform } from '#platform';
import { type Json, parsePythonJson } from '../config/json.js';
import { jsonText } from '../config/json-text.js';
import type { Folder } from './folder.js';

// Paths, JSON files, and writing.

export const isUrl = (path: string): boolean => /^https?:\/\//.test(path);

/** Joins a root and parts of a path; empty parts are left out. */
export function join(root: string, ...parts: string[]): string {
  return [root.replace(/(?<=.)\/+$/, ''), ...parts].filter(Boolean).join('/');
}

/** Parses JSON bytes that hold one object, as Python's json does. */
export function parseJson(path: string, bytes: Uint8Array): Json {
  let json: unknown;
  try {
    json = parsePythonJson(jsonText(bytes));
  } catch (cause) {
    throw new Error(`${path}: not a valid JSON file (${(cause as Error).message}); fetch it again`, { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Error(`${path}: expected a JSON object; fetch the file again`);
  }
  return json as Json;
}

const MODEL_ADVICE = 'expected a model as diffusers saves it; check the path';

/** Says that a file is not there, and what to do. */
export function missing(folder: Folder, path: string, also = '', advice = MODEL_ADVICE): Error {
  return new Error(`${folder.label(path)}: ${folder.absent ?? `no such file${also}; ${advice}`}`);
}

/** Most files fetched at once: a browser opens six connections to a host, and a request that waits for one counts as silent. */
const SIDE_BY_SIDE = 4;

/** Does a work for each path, a few at a time. */
export async function sideBySide(paths: readonly string[], work: (path: string) => Promise<unknown>): Promise<void> {
  const queue = paths.values();
  const some = async () => {
    for (const path of queue) await work(path);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, some));
}

/** Writes a file whole or not at all, with its directories. */
export async function writeFile(path: string, content: Uint8Array | string): Promise<void> {
  if (isUrl(path)) throw new RangeError(`directory: expected a place on disk, got ${path}`);
  return platform.writeFile(path, content);
}
