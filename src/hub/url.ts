import { fetchFile } from '../platform/fetch.js';
import { timeoutOf } from './environment.js';
import { join, sideBySide } from './files.js';
import { checkPath, type Folder, limitOf } from './folder.js';

/** The files below a URL. Each is fetched once: whether it is there can only be told by fetching it. */
export function openUrl(root: string, options: { fetch?: typeof fetch; signal?: AbortSignal } = {}): Folder {
  const base = root.replace(/[?#].*$/, '');
  const query = root.slice(base.length).replace(/#.*$/, '');
  const place = (path: string) => join(base, checkPath(path).split('/').map(encodeURIComponent).join('/')) + query;
  const fetched = new Map<string, Promise<Uint8Array | undefined>>();
  const find = (path: string) => {
    const url = place(path);
    const running = fetched.get(url) ?? fetchFile(url, { ...options, limit: limitOf(path), seconds: timeoutOf() });
    fetched.set(url, running);
    running.catch(() => fetched.delete(url));
    return running;
  };
  return {
    name: root,
    label: (path) => join(base, path),
    // Kept from `has` until it is read, and no longer: a model is large.
    find: (path) => find(path).finally(() => fetched.delete(place(path))),
    has: async (path) => (await find(path)) !== undefined,
    locate: async () => undefined,
    expect: (paths) => sideBySide(paths, find),
  };
}
