// A folder that was dropped or chosen, as files by their paths below it.

export interface Dropped {
  readonly name: string;
  readonly files: Record<string, File>;
}

function strip(paths: [string, File][]): Dropped {
  const kept = paths.filter(([path]) => !/(^|\/)\./.test(path));
  const top = (kept[0]?.[0] ?? '').split('/')[0] as string;
  const inOne = kept.every(([path]) => path.startsWith(`${top}/`));
  return {
    name: inOne ? top : 'your files',
    files: Object.fromEntries(kept.map(([path, file]) => [inOne ? path.slice(top.length + 1) : path, file])),
  };
}

/** From `<input type="file" webkitdirectory>`. */
export const fromInput = (files: Iterable<File>): Dropped =>
  strip(Array.from(files, (file) => [file.webkitRelativePath || file.name, file]));

/** From a drop; must be called while the event lasts. */
export async function fromDrop(transfer: DataTransfer): Promise<Dropped> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const loose = Array.from(transfer.files);
  if (entries.length === 0) return fromInput(loose);
  return strip((await Promise.all(entries.map(read))).flat());
}

async function read(entry: FileSystemEntry): Promise<[string, File][]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [[entry.fullPath.slice(1), file]];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: [string, File][] = [];
  // A reader gives some at a time, and none at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(read))).flat());
  }
}
