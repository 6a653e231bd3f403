import { isOffline, tokenOf } from './environment.js';
import type { Folder } from './folder.js';
import type { ModelFiles } from './memory.js';
import { type HubOptions, openPlace, type RepositoryOptions } from './place.js';
import { openUrl } from './url.js';

export { HUB_OPTIONS } from './place.js';

// hub/open.ts for the scheduler on edge runtimes, where the code has to be small and nothing is kept: the addresses of a
// repository's files, each fetched anew.

async function openRepository(id: string, options: RepositoryOptions): Promise<Folder> {
  const { endpoint, revision, fetch: send = fetch, signal } = options;
  if (isOffline(options.localFilesOnly)) {
    throw new RangeError('localFilesOnly: expected false, for on edge runtimes nothing is kept');
  }
  const token = await tokenOf(options.token);
  const ask: typeof fetch = async (url, init) => {
    const response = await send(url, token ? { ...init, headers: { authorization: `Bearer ${token}` } } : init);
    const { status, headers } = response;
    const code = headers.get('x-error-code') ?? '';
    if (status !== 401 && status !== 403 && (code === '' || code === 'EntryNotFound')) return response;
    throw new Error(`${status} ${code}: check the name and the revision, and the token if it is private or gated`);
  };
  const root = `${endpoint}/${id}/resolve/${encodeURIComponent(revision)}`;
  return openUrl(root, { fetch: ask, ...(signal && { signal }) });
}

/** Opens a model's place. */
export const openFolder = (model: string | ModelFiles, options: HubOptions = {}): Promise<Folder> =>
  openPlace(model, options, openRepository);
