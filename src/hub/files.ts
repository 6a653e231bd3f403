import { platform } from '#platform';
import { type Json, parsePythonJson } from '../config/json.js';
import { fetchFile } from '../platform/fetch.js';

// The files of a model: a directory or an http(s) URL, and paths below it.

export const isUrl = (path: string): boolean => /^https?:\/\//.test(path);

/** Joins a root and parts of a path; empty parts are left out. */
export function join(root: string, ...parts: string[]): string {
  return [root.replace(/(?<=.)\/+$/, ''), ...parts].filter(Boolean).join('/');
}

/** A file's bytes, or undefined where there is none. */
export function findFile(path: string): Promise<Uint8Array | undefined> {
  return isUrl(path) ? fetchFile(path) : platform.readFile(path);
}

/** A file's bytes; an error that names it and says what to do where there is none. */
export async function readFile(path: string, advice: string): Promise<Uint8Array> {
  const bytes = await findFile(path);
  if (!bytes) throw new Error(`${path}: no such file; ${advice}`);
  return bytes;
}

/** Parses JSON bytes that hold one object, as Python's json does. */
export function parseJson(path: string, bytes: Uint8Array): Json {
  let json: unknown;
  try {
    json = parsePythonJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Error(`${path}: not a valid JSON file (${(cause as Error).message}); fetch it again`, { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Error(`${path}: expected a JSON object; fetch the file again`);
  }
  return json as Json;
}

/** What to do about a missing configuration. */
export const MODEL_ADVICE = 'expected a model as diffusers saves it; check the path';

/** A JSON file of diffusers' layout. */
export async function readJson(path: string): Promise<Json> {
  return parseJson(path, await readFile(path, MODEL_ADVICE));
}

/** Writes a file whole or not at all, with its directories. */
export async function writeFile(path: string, content: Uint8Array | string): Promise<void> {
  if (isUrl(path)) throw new RangeError(`directory: expected a place on disk, got ${path}`);
  return platform.writeFile(path, content);
}
