import { checkBytes } from '../check.js';
import { PATIENCE, patiently } from './patience.js';
import { readBlob } from './pieces.js';

async function readBody(response: Response, limit: number, alive: () => void): Promise<Uint8Array> {
  checkBytes(Number(response.headers.get('content-length')), limit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { value } = (await reader?.read()) ?? {};
    if (!value) break;
    alive();
    chunks.push(value);
    size += value.length;
    checkBytes(size, limit);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/**
 * A file over HTTP, or undefined where the server has none.
 * @param options `seconds` without a byte after which it is given up (large files in a page: without an answer); `limit`: most
 * bytes that it may have.
 */
export async function fetchFile(
  url: string,
  options: { fetch?: typeof fetch; signal?: AbortSignal; seconds?: number; limit?: number } = {},
): Promise<Uint8Array | undefined> {
  const { fetch: send = fetch, signal, seconds = PATIENCE, limit = Infinity } = options;
  const get = async (signal: AbortSignal, alive: () => void, stay: () => void) => {
    try {
      const response = await send(url, { signal });
      alive();
      if (response.status === 404 || response.status === 410) return undefined;
      if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
      if (limit < Infinity || typeof document !== 'object') return await readBody(response, limit, alive);
      // A page's memory peaks 12% lower, with 143 MB, where the browser makes a Blob of it: nothing is heard meanwhile.
      stay();
      return await readBlob(await response.blob());
    } catch (cause) {
      throw signal.aborted ? signal.reason : cause;
    }
  };
  try {
    return await patiently(signal, seconds, get);
  } catch (cause) {
    signal?.throwIfAborted();
    const reason = (cause as Error).message;
    throw new Error(`${url}: could not be fetched (${reason}); check the address and the connection`, { cause });
  }
}
