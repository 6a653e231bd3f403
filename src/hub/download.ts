import type { Part, Store } from '../platform/types.js';
import { digestBlob } from './digest.js';
import type { RemoteFile } from './info.js';
import { Again, type Connection, reasonOf, request, retry } from './request.js';

/** Appends an answer's body to what is here. */
async function append(
  part: Part,
  response: Response,
  size: number,
  report: (loaded: number) => void,
  alive: () => void,
) {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const result = await reader?.read();
      if (!result || result.done) break;
      alive();
      if (part.size + result.value.length > size) {
        await part.restart();
        throw new Again(`more bytes than the ${size} of the list`);
      }
      await part.append(result.value);
      report(part.size);
    }
  } catch (cause) {
    await reader?.cancel().catch(() => {});
    if (cause instanceof Again || isDisk(cause)) throw cause;
    throw new Again(`the connection broke at ${part.size} of ${size} bytes: ${reasonOf(cause)}`);
  }
  if (part.size < size) {
    throw new Again(`the connection ended at ${part.size} of ${size} bytes`);
  }
}

/** An error of the file system, which another try does not mend. */
const isDisk = (error: unknown): boolean =>
  typeof (error as { syscall?: unknown }).syscall === 'string' &&
  /^(write|open|ftruncate|fsync)$/.test((error as { syscall: string }).syscall);

/** Brings a part up to the file's size. */
async function fill(
  c: Connection,
  commit: string,
  path: string,
  file: RemoteFile,
  part: Part,
  report: (n: number) => void,
) {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const url = `${c.endpoint}/${c.id}/resolve/${commit}/${encoded}`;
  // Further than ever is progress; the same bytes again are not.
  let furthest = part.size;
  const progress = () => {
    const better = part.size > furthest;
    furthest = Math.max(furthest, part.size);
    return better;
  };
  const attempt = async () => {
    if (part.size > file.size) await part.restart();
    if (part.size === file.size) return;
    const from = part.size;
    const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
    // Another encoding would make ranges and sizes mean something else.
    await request(c, path, url, { 'accept-encoding': 'identity', ...range }, async (response, alive) => {
      const continues = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${from}-`);
      if (response.status === 416 || (response.status === 206 && !continues)) {
        await response.body?.cancel().catch(() => {});
        await part.restart();
        throw new Again('the server has another range than asked for');
      }
      // A server that knows no ranges begins anew.
      if (response.status !== 206 && from > 0) await part.restart();
      await append(part, response, file.size, report, alive);
    });
  };
  await retry(c, path, attempt, progress);
}

const utf8 = new TextEncoder();

/**
 * Whether the bytes are those that the Hub lists: SHA-256, or git's SHA-1 of 'blob <size>\0' and the bytes. Where a page has
 * no digests (no https), the size must do.
 */
async function isIntact(part: Part, { hash, size }: RemoteFile): Promise<boolean> {
  const large = hash.length === 64;
  const prefix = large ? new Uint8Array(0) : utf8.encode(`blob ${size}\0`);
  const digest = await part.digest(large ? 'SHA-256' : 'SHA-1', prefix, digestBlob);
  return digest === undefined || digest === hash;
}

/**
 * Fetches a file into the store. What an earlier try left is gone on from; what does not have the listed hash is thrown
 * away and fetched once more.
 */
export async function download(
  connection: Connection,
  store: Store,
  commit: string,
  path: string,
  file: RemoteFile,
  report: (loaded: number) => void,
): Promise<void> {
  const part = await store.open(file.hash);
  try {
    for (let round = 1; ; round++) {
      await fill(connection, commit, path, file, part, report);
      if (await isIntact(part, file)) break;
      await part.restart();
      if (round === 2) {
        throw new Error(
          `${path} of ${connection.id}: the bytes are not those that the Hub lists (another hash); try again, and if it ` +
            'stays so, something between here and the Hub changes files',
        );
      }
    }
    await part.finish();
  } finally {
    await part.close();
  }
  await store.link(commit, path, file.hash);
}
