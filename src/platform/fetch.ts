import { readBlob } from './pieces.js';

/** A file over HTTP, or undefined where the server has none. */
export async function fetchFile(
  url: string,
  options: { fetch?: typeof fetch; signal?: AbortSignal } = {},
): Promise<Uint8Array | undefined> {
  const { fetch: request = fetch, signal } = options;
  try {
    const response = await request(url, signal ? { signal } : {});
    if (response.status === 404 || response.status === 410) return undefined;
    if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
    // In a page not arrayBuffer(), which joins all that came in one task.
    return typeof document === 'object'
      ? await readBlob(await response.blob())
      : new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    signal?.throwIfAborted();
    const reason = (cause as Error).message;
    throw new Error(`${url}: could not be fetched (${reason}); check the address and the connection`, { cause });
  }
}
