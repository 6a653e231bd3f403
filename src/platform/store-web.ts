import { checkBytes } from '../check.js';
import { readBlob } from './pieces.js';
import type { Algorithm, DigestBlob, Part, Store } from './types.js';

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

/** Bytes of chunks that become a Blob: a copy that no page notices. */
const ENOUGH = 2 ** 20;

/** Pieces that become Blobs as they are full, so that nothing is ever joined or copied as a whole in the page's thread. */
class WebPart implements Part {
  #pieces: Blob[] = [];
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #inChunks = 0;
  size = 0;

  constructor(readonly keep: (file: Blob) => Promise<void>) {}

  async append(bytes: Uint8Array): Promise<void> {
    this.#chunks.push(bytes as Uint8Array<ArrayBuffer>);
    this.#inChunks += bytes.length;
    this.size += bytes.length;
    if (this.#inChunks >= ENOUGH) this.#seal();
  }

  #seal(): void {
    this.#pieces.push(new Blob(this.#chunks));
    this.#chunks = [];
    this.#inChunks = 0;
  }

  async restart(): Promise<void> {
    this.#pieces = [];
    this.#chunks = [];
    this.#inChunks = 0;
    this.size = 0;
  }

  async digest(algorithm: Algorithm, prefix: Uint8Array, digest: DigestBlob): Promise<string | undefined> {
    if (!globalThis.crypto?.subtle) return undefined;
    this.#seal();
    return hex(await digest(algorithm, new Blob([prefix as Uint8Array<ArrayBuffer>, ...this.#pieces])));
  }

  finish(): Promise<void> {
    this.#seal();
    return this.keep(new Blob(this.#pieces));
  }

  close(): Promise<void> {
    return this.restart();
  }
}

/** Files that no cache would take, for as long as the page lives. */
const memory = new Map<string, Blob>();

export async function openStore(id: string, caching = true): Promise<Store> {
  const cache = caching ? await openCache() : undefined;
  const key = (...parts: string[]) => `${BASE}/${id}/${parts.map(encodeURIComponent).join('/')}`;

  const get = async (url: string, limit = Infinity): Promise<Uint8Array | undefined> => {
    const kept = memory.get(url) ?? (await (await cache?.match(url))?.blob());
    if (kept) checkBytes(kept.size, limit);
    return kept && readBlob(kept);
  };
  const set = async (url: string, file: Blob): Promise<void> => {
    try {
      if (!cache) throw new Error('no cache');
      await cache.put(url, new Response(file));
    } catch {
      memory.set(url, file);
    }
  };
  const text = async (url: string): Promise<string | undefined> => {
    const bytes = await get(url);
    return bytes && new TextDecoder().decode(bytes);
  };
  const write = (url: string, value: string) => set(url, new Blob([value]));
  /** The hash that a path of a snapshot points to. */
  const hashOf = (commit: string, path: string) => text(key('snapshots', commit, path));

  return {
    readRef: (revision) => text(key('refs', revision)),
    writeRef: (revision, commit) => write(key('refs', revision), commit),
    async find(commit, path, limit) {
      const hash = await hashOf(commit, path);
      return hash === undefined ? undefined : get(key('blobs', hash), limit);
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
    open: async (hash) => new WebPart((file) => set(key('blobs', hash), file)),
  };
}
