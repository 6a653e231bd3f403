import { platform } from '#platform';
import { join } from './files.js';
import { checkPath, type Folder, limitOf } from './folder.js';

/** The files of a directory. */
export function openDirectory(root: string): Folder {
  const place = (path: string) => join(root, checkPath(path));
  return {
    name: root,
    label: (path) => join(root, path),
    find: (path) => platform.readFile(place(path), limitOf(path)),
    has: (path) => platform.isFile(place(path)),
    locate: async (path) => ((await platform.isFile(place(path))) ? place(path) : undefined),
    expect: async () => {},
  };
}
