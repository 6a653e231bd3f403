import { checkInside, isPortable } from './folder.js';
import { Again, type Connection, reasonOf, request, retry } from './request.js';

/** A file of a repository. */
export interface RemoteFile {
  readonly size: number;
  /** SHA-256 of a large file, else git's SHA-1 of the blob; it is also the file's name in the cache. */
  readonly hash: string;
}

export interface RepositoryInfo {
  readonly commit: string;
  /** By their paths; those that `checkPath` refuses are left out. */
  readonly files: ReadonlyMap<string, RemoteFile>;
}

/** Longest list: 100,000 files take about 20 MB. */
const MAX_LIST = 32 * 2 ** 20;

async function readAll(response: Response, alive: () => void): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  const reader = response.body?.getReader();
  if (!reader) return '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      alive();
      size += value.length;
      if (size > MAX_LIST) throw new Error(`more than ${MAX_LIST} bytes`);
      text += decoder.decode(value, { stream: true });
    }
  } catch (cause) {
    await reader.cancel().catch(() => {});
    if (size > MAX_LIST) throw cause;
    throw new Again(reasonOf(cause));
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Checks an answer of the Hub's model_info. */
function parse(text: string): RepositoryInfo {
  const json: unknown = JSON.parse(text);
  if (!isObject(json) || typeof json.sha !== 'string' || !/^[0-9a-f]{40}$/.test(json.sha)) throw new Error('no commit');
  if (!Array.isArray(json.siblings)) throw new Error('no list of files');
  const files = new Map<string, RemoteFile>();
  for (const sibling of json.siblings as unknown[]) {
    if (!isObject(sibling) || typeof sibling.rfilename !== 'string') throw new Error('a file without a name');
    const { rfilename: path, lfs } = sibling;
    const size = isObject(lfs) ? lfs.size : sibling.size;
    const hash = isObject(lfs) ? lfs.sha256 : sibling.blobId;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw new Error(`a file without a size: ${path}`);
    const form = isObject(lfs) ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
    if (typeof hash !== 'string' || !form.test(hash)) throw new Error(`a file without a hash: ${path}`);
    checkInside(path);
    // A file of another name is left out: none that is asked for has such a one.
    if (isPortable(path)) files.set(path, { size, hash });
  }
  return { commit: json.sha, files };
}

/** What a repository holds at a revision: `HfApi.model_info(files_metadata=True)` of huggingface_hub. */
export function fetchInfo(connection: Connection): Promise<RepositoryInfo> {
  const { endpoint, id, revision } = connection;
  const url = `${endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
  return retry(connection, 'the list of files', async () => {
    const text = await request(connection, 'the list of files', url, { accept: 'application/json' }, readAll);
    try {
      return parse(text);
    } catch (cause) {
      throw new Error(
        `the list of files of ${id}: ${endpoint} did not answer as the Hub does (${(cause as Error).message})`,
        {
          cause,
        },
      );
    }
  });
}
