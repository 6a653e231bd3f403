import type { Part, Store } from './types.js';

// Downloads in the Cache API: one cache, keys that look like URLs of the Hub. Where there is none (edge runtimes, pages
// without https) or it is full, the files are kept in memory for as long as the page lives.

const NAME = 'ddim-wasm';
const BASE = 'https://huggingface.co';

async function openCache(): Promise<Cache | undefined> {
  try {
    return await caches.open(NAME);
  } catch {
    return undefined;
  }
}

const hex = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

class WebPart implements Part {
  #chunks: Uint8Array[] = [];
  size = 0;

  constructor(readonly keep: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>) {}

  async append(bytes: Uint8Array): Promise<void> {
    this.#chunks.push(bytes);
    this.size += bytes.length;
  }

  async restart(): Promise<void> {
    this.#chunks = [];
    this.size = 0;
  }

  #join(prefix = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(prefix.length + this.size);
    whole.set(prefix);
    let at = prefix.length;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    // Joined once: the pieces are not kept beside the whole.
    this.#chunks = [whole.subarray(prefix.length)];
    return whole;
  }

  async digest(algorithm: 'SHA-1' | 'SHA-256', prefix: Uint8Array): Promise<string | undefined> {
    if (!globalThis.crypto?.subtle) return undefined;
    return hex(await crypto.subtle.digest(algorithm, this.#join(prefix as Uint8Array<ArrayBuffer>)));
  }

  finish(): Promise<void> {
    return this.keep(this.#join());
  }

  async close(): Promise<void> {
    this.#chunks = [];
  }
}

/** Files that no cache would take, for as long as the page lives. */
const memory = new Map<string, Blob>();

export async function openStore(id: string, caching = true): Promise<Store> {
  const cache = caching ? await openCache() : undefined;
  const key = (...parts: string[]) => `${BASE}/${id}/${parts.map(encodeURIComponent).join('/')}`;

  const get = async (url: string): Promise<Uint8Array | undefined> => {
    const kept = memory.get(url) ?? (await cache?.match(url));
    return kept && new Uint8Array(await kept.arrayBuffer());
  };
  const set = async (url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    try {
      if (!cache) throw new Error('no cache');
      await cache.put(url, new Response(bytes));
    } catch {
      memory.set(url, new Blob([bytes]));
    }
  };
  const text = async (url: string): Promise<string | undefined> => {
    const bytes = await get(url);
    return bytes && new TextDecoder().decode(bytes);
  };
  const write = (url: string, value: string) => set(url, new TextEncoder().encode(value));
  /** The hash that a path of a snapshot points to. */
  const hashOf = (commit: string, path: string) => text(key('snapshots', commit, path));

  return {
    readRef: (revision) => text(key('refs', revision)),
    writeRef: (revision, commit) => write(key('refs', revision), commit),
    async find(commit, path) {
      const hash = await hashOf(commit, path);
      return hash === undefined ? undefined : get(key('blobs', hash));
    },
    async has(commit, path) {
      const hash = await hashOf(commit, path);
      if (hash === undefined) return false;
      return memory.has(key('blobs', hash)) || (await cache?.match(key('blobs', hash))) !== undefined;
    },
    locate: async () => undefined,
    async link(commit, path, hash) {
      const url = key('blobs', hash);
      if (!memory.has(url) && (await cache?.match(url)) === undefined) return false;
      await write(key('snapshots', commit, path), hash);
      return true;
    },
    open: async (hash) => new WebPart((bytes) => set(key('blobs', hash), bytes)),
  };
}
