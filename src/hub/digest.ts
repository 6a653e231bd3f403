import { workers } from '#workers';
import { readBlob } from '../platform/pieces.js';
import type { Algorithm, DigestRequest } from '../platform/types.js';
import { Thread } from '../workers/thread.js';

/** Less is done here before a worker is up. */
const SMALL = 8 * 2 ** 20;

async function inWorker(algorithm: Algorithm, digest: Blob): Promise<ArrayBuffer> {
  const thread = await Thread.start();
  try {
    return await thread.ask({ digest, algorithm } satisfies DigestRequest, []);
  } finally {
    await thread.end(new Error('workers: the hash is made'));
  }
}

/** Hash of a file. crypto.subtle copies a whole one, twice, in the thread that asks: a page leaves that to a worker. */
export async function digestBlob(algorithm: Algorithm, file: Blob): Promise<ArrayBuffer> {
  const here = async () => crypto.subtle.digest(algorithm, await readBlob(file));
  return file.size > SMALL && workers.byDefault() > 0 ? inWorker(algorithm, file).catch(here) : here();
}
