import { checkBytes } from '../check.js';

// JSON from the network is looked over before it is parsed.

/** Largest text: a configuration with 16,384 betas written out takes 0.4 MB, a header or index of 10,000 tensors 1 MB. */
export const MAX_JSON = 4 * 2 ** 20;
/** Deepest nesting of a file that belongs to a model; they need 3. */
const MAX_DEPTH = 32;

const QUOTE = 34;
const BACKSLASH = 92;

/** Index after the string that starts at `at`. @throws {Error} it is not closed. */
function endOfString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i + 1;
  }
  throw new Error('a string without an end');
}

/**
 * Walks over JSON text once, building nothing.
 * @throws {Error} deep nesting, or an object that names a key twice, which parsers read in different ways.
 */
function check(text: string): void {
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; ) {
    const character = text[i] as string;
    if (character === '"') {
      const end = endOfString(text, i);
      const keys = open.at(-1);
      let next = end;
      while (' \t\r\n'.includes(text[next] ?? '-')) next++;
      if (keys && text[next] === ':') {
        const raw = text.slice(i, end);
        const key = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
        if (keys.has(key)) throw new Error(`the key ${JSON.stringify(key.slice(0, 60))} is there twice`);
        keys.add(key);
      }
      i = end;
      continue;
    }
    if (character === '{' || character === '[') open.push(character === '{' ? new Set() : null);
    else if (character === '}' || character === ']') open.pop();
    if (open.length > MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`);
    i++;
  }
}

/**
 * The text of JSON bytes, looked over.
 * @throws {Error} more than 4 MiB, no UTF-8, a string without an end, deep nesting, or a key that is there twice.
 */
export function jsonText(bytes: Uint8Array): string {
  checkBytes(bytes.length, MAX_JSON);
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  check(text);
  return text;
}
