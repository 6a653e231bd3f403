import { openStore, platform } from '#platform';
import { checkBytes } from '../check.js';
import type { Store } from '../platform/types.js';
import { download } from './download.js';
import { isOffline, tokenOf } from './environment.js';
import { sideBySide } from './files.js';
import { checkPath, type Folder, limitOf } from './folder.js';
import { fetchInfo, type RepositoryInfo } from './info.js';
import type { DownloadProgress, RepositoryOptions } from './place.js';
import { type Connection, Unreachable } from './request.js';

// A repository of the Hub as a folder: `snapshot_download` of huggingface_hub, file by file. The package @huggingface/hub
// (2.17.5) does not do this: it names snapshots after a file's last commit, so that Python does not find them, and has
// neither refs, resuming, hashes, progress nor an offline mode; it adds 288 kB.

const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** Why the Hub is not asked. */
const NO_NETWORK = 'no network is to be used (localFilesOnly, HF_HUB_OFFLINE)';
const ADVICE = 'load it once with a connection to the Hub';

/** What the store has of a revision, when the Hub is not asked. */
async function commitInStore(store: Store, id: string, revision: string, why: string): Promise<string> {
  const commit = isCommit(revision) ? revision : await store.readRef(revision);
  if (commit !== undefined && isCommit(commit)) return commit;
  throw new Error(`${id}: nothing of '${revision}' has been downloaded before, and ${why}; ${ADVICE}`);
}

/** Opens a repository at a revision: one commit of it, whatever is pushed meanwhile. */
export async function openRepository(id: string, options: RepositoryOptions): Promise<Folder> {
  const { endpoint, revision, signal, forceDownload = false } = options;
  checkPath(revision);
  const store = await openStore(id, options.cacheDir);
  if (isOffline(options.localFilesOnly)) {
    return offline(id, await commitInStore(store, id, revision, NO_NETWORK), store, NO_NETWORK);
  }
  const connection: Connection = {
    endpoint,
    id,
    revision,
    token: await tokenOf(options.token),
    fetch: options.fetch ?? fetch,
    signal,
  };
  let info: RepositoryInfo;
  try {
    info = await fetchInfo(connection);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const commit = await commitInStore(store, id, revision, error.message).catch(() => {
      throw error;
    });
    console.warn(`${error.message}. Using what was downloaded before (${commit.slice(0, 8)})`);
    return offline(id, commit, store, 'the Hub could not be reached');
  }
  if (revision !== info.commit) await store.writeRef(revision, info.commit);
  const tell = options.onProgress ?? (await bar(id));
  return online(connection, info, store, forceDownload, tell);
}

async function bar(id: string): Promise<(progress: DownloadProgress) => void> {
  const tick = await platform.downloadBar(id);
  return ({ loadedInAll, totalInAll }) => tick(loadedInAll, totalInAll);
}

const labelOf = (id: string) => (path: string) => `${path} of ${id}`;

/** A snapshot as far as it is here. */
function offline(id: string, commit: string, store: Store, why: string): Folder {
  const label = labelOf(id);
  return {
    name: id,
    absent: `has not been downloaded before, and ${why}; ${ADVICE}`,
    label,
    find: (path) => store.find(commit, checkPath(path), limitOf(path)),
    has: (path) => store.has(commit, checkPath(path)),
    locate: (path) => store.locate(commit, checkPath(path)),
    expect: async () => {},
  };
}

/** A snapshot whose missing files are fetched when they are asked for. */
function online(
  connection: Connection,
  { commit, files }: RepositoryInfo,
  store: Store,
  force: boolean,
  tell: (progress: DownloadProgress) => void,
): Folder {
  const label = labelOf(connection.id);
  const started = new Map<string, Promise<void>>();
  const totals = new Map<string, number>();
  const loaded = new Map<string, number>();
  const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0);

  const fetchOne = async (path: string): Promise<void> => {
    const file = files.get(path);
    if (!file) return;
    checkBytes(file.size, limitOf(path), label(path));
    if (!force && ((await store.has(commit, path)) || (await store.link(commit, path, file.hash)))) {
      totals.delete(path);
      return;
    }
    totals.set(path, file.size);
    await download(connection, store, commit, path, file, (bytes) => {
      loaded.set(path, bytes);
      const [loadedInAll, totalInAll] = [sum(loaded.values()), sum(totals.values())];
      tell({ file: path, loaded: bytes, total: file.size, loadedInAll, totalInAll });
    });
  };
  const ensure = (path: string): Promise<void> => {
    connection.signal?.throwIfAborted();
    const running = started.get(path) ?? fetchOne(path);
    started.set(path, running);
    running.catch(() => started.delete(path));
    return running;
  };
  return {
    name: connection.id,
    label,
    has: async (path) => files.has(checkPath(path)),
    async find(path) {
      await ensure(checkPath(path));
      return files.has(path) ? store.find(commit, path, limitOf(path)) : undefined;
    },
    async locate(path) {
      await ensure(checkPath(path));
      return files.has(path) ? store.locate(commit, path) : undefined;
    },
    async expect(paths) {
      const wanted = [...new Set(paths.map(checkPath))].filter((path) => files.has(path));
      // Counted from the start, so that the total does not grow.
      for (const path of wanted) {
        const { size } = files.get(path) as { size: number };
        if (force || !(await store.has(commit, path))) totals.set(path, size);
      }
      await sideBySide(wanted, ensure);
    },
  };
}
