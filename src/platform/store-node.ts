import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { checkBytes } from '../check.js';
import type { Part, Store } from './types.js';

// The cache of Python's huggingface_hub, shared with it (https://huggingface.co/docs/huggingface_hub/guides/manage-cache):
//
//   models--<owner>--<name>/refs/<revision>            the commit that it meant
//                          /blobs/<hash>               files by their hash
//                          /snapshots/<commit>/<path>  links to them
//
// A download is blobs/<hash>.<pid>.<n>.part. When it is broken off it becomes blobs/<hash>.part; whoever wants to go on from
// it renames it first, which succeeds for one only, so that no two ever write to one file and none waits for another.

const env = (name: string): string | undefined => process.env[name] || undefined;
const expandUser = (path: string): string => path.replace(/^~(?=$|[/\\])/, env('HOME') ?? homedir());
/** As Python's os.path.expandvars: $NAME and ${NAME}; what is not set stays as it is. */
const expandVariables = (path: string): string =>
  path.replace(/\$(?:(\w+)|\{([^}]*)\})/g, (all, plain, braced) => process.env[plain ?? braced] ?? all);
const expand = (path: string): string => expandVariables(expandUser(path));

/** $HF_HOME and what it defaults to (huggingface_hub/constants.py; 0.25 expanded no variables, 2.4 does). */
const home = (): string => expand(env('HF_HOME') ?? join(env('XDG_CACHE_HOME') ?? '~/.cache', 'huggingface'));
const cache = (): string => expand(env('HF_HUB_CACHE') ?? env('HUGGINGFACE_HUB_CACHE') ?? join(home(), 'hub'));

export async function savedToken(): Promise<string | undefined> {
  return read(expand(env('HF_TOKEN_PATH') ?? join(home(), 'token')));
}

async function read(path: string): Promise<string | undefined> {
  return (await readFile(path, 'utf8').catch(() => undefined))?.trim();
}

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isFile() ?? false;

/** Says what cannot be written, and what to do. */
function unwritable(path: string, cause: unknown): Error {
  const { code, message, syscall } = cause as NodeJS.ErrnoException;
  const advice = code === 'ENOSPC' ? 'free some space' : 'check the permissions';
  const error = new Error(`${path}: the cache cannot be written (${message}); ${advice}, or set HF_HOME or cacheDir`, {
    cause,
  });
  return Object.assign(error, { code, syscall: syscall ?? 'write' });
}

async function writing<T>(path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Whether a process is alive; one that belongs to somebody else is. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

let count = 0;

class NodePart implements Part {
  #finished = false;

  private constructor(
    readonly path: string,
    readonly blob: string,
    readonly handle: FileHandle,
    public size: number,
  ) {}

  static async open(blob: string): Promise<NodePart> {
    const path = `${blob}.${process.pid}.${++count}.part`;
    return writing(path, async () => {
      await mkdir(dirname(blob), { recursive: true });
      for (const left of await leftovers(blob)) {
        if (
          await rename(left, path).then(
            () => true,
            () => false,
          )
        )
          break;
      }
      const handle = await open(path, 'a+');
      const { size } = await handle.stat();
      return new NodePart(path, blob, handle, size);
    });
  }

  async append(bytes: Uint8Array): Promise<void> {
    await writing(this.path, () => this.handle.appendFile(bytes));
    this.size += bytes.length;
  }

  async restart(): Promise<void> {
    await writing(this.path, () => this.handle.truncate(0));
    this.size = 0;
  }

  async digest(algorithm: 'SHA-1' | 'SHA-256', prefix: Uint8Array): Promise<string> {
    const hash = createHash(algorithm).update(prefix);
    for await (const chunk of createReadStream(this.path, { highWaterMark: 2 ** 20 })) hash.update(chunk);
    return hash.digest('hex');
  }

  async finish(): Promise<void> {
    await writing(this.blob, async () => {
      await this.handle.sync();
      await this.handle.close();
      await rename(this.path, this.blob);
    });
    this.#finished = true;
  }

  async close(): Promise<void> {
    if (this.#finished) return;
    await this.handle.close().catch(() => {});
    if (this.size === 0) await rm(this.path, { force: true }).catch(() => {});
    else await rename(this.path, `${this.blob}.part`).catch(() => {});
  }
}

/** What broken-off downloads of a blob left: by name, or by a process that is no more. */
async function leftovers(blob: string): Promise<string[]> {
  const folder = dirname(blob);
  const hash = blob.slice(folder.length + 1);
  const names = (await readdir(folder)).filter((name) => {
    if (!name.startsWith(`${hash}.`) || !name.endsWith('.part')) return false;
    const [, pid] = /\.(\d+)\.\d+\.part$/.exec(name) ?? [];
    return pid === undefined || !isAlive(Number(pid));
  });
  return names.map((name) => join(folder, name));
}

/** Puts a link, or where there are none (Windows without developer mode) a copy, in place of whatever is there. */
async function put(blob: string, path: string): Promise<void> {
  const temporary = `${path}.${process.pid}.${++count}.tmp`;
  await writing(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    try {
      await symlink(relative(dirname(path), blob), temporary);
    } catch (error) {
      if (!['EPERM', 'ENOTSUP', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      await copyFile(blob, temporary);
    }
    await rename(temporary, path);
  });
}

export function openStore(id: string, cacheDir: string | undefined): Store {
  const root = join(cacheDir === undefined ? cache() : expandUser(cacheDir), `models--${id.replaceAll('/', '--')}`);
  const place = (commit: string, path: string) => join(root, 'snapshots', commit, path);
  const blobOf = (hash: string) => join(root, 'blobs', hash);
  return {
    readRef: (revision) => read(join(root, 'refs', revision)),

    async writeRef(revision, commit) {
      const path = join(root, 'refs', revision);
      if ((await read(path)) === commit) return;
      const temporary = `${path}.${process.pid}.${++count}.tmp`;
      await writing(path, async () => {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(temporary, commit);
        await rename(temporary, path);
      });
    },

    async find(commit, path, limit) {
      try {
        checkBytes((await stat(place(commit, path))).size, limit);
        return await readFile(place(commit, path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw new Error(`${place(commit, path)}: cannot be read (${(error as Error).message})`, { cause: error });
      }
    },

    has: (commit, path) => isFile(place(commit, path)),
    locate: async (commit, path) => ((await isFile(place(commit, path))) ? place(commit, path) : undefined),

    async link(commit, path, hash) {
      if (!(await isFile(blobOf(hash)))) return false;
      await put(blobOf(hash), place(commit, path));
      return true;
    },

    open: (hash) => NodePart.open(blobOf(hash)),
  };
}
