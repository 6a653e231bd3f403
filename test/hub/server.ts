// A local server that speaks the Hub's protocol, as huggingface_hub's file_download.py and hf_api.py use it: the list of
// files with their hashes, files behind redirects to a CDN (another port) whose links expire, and every way to go wrong.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What goes wrong with one request; the next fault is for the next request. */
export interface Fault {
  /** Which requests: a path of the repository, 'list', or 'cdn <path>'. */
  on: string;
  /** Let this many of them pass first. */
  after?: number;
  /** Answer with this status. */
  status?: number;
  headers?: Record<string, string>;
  /** Break the connection after this many bytes of the body; -1: before the headers. */
  cut?: number;
  /** Send the whole file, whatever range was asked for. */
  ignoreRange?: boolean;
  /** Send these bytes in place of the file's. */
  body?: Uint8Array;
  /** Answer nothing, for as long as the client waits. */
  hang?: boolean;
  /** Send this list in place of the true one. */
  list?: unknown;
}

export interface Repository {
  files: Record<string, Uint8Array>;
  /** Commit of `main` and every other branch. */
  commit: string;
  /** Paths that are behind the CDN, as large files are. */
  large: string[];
  /** Only with this token. */
  token?: string;
  /** Needs conditions to be accepted. */
  gated?: boolean;
}

export interface Hub {
  /** The address for HF_ENDPOINT. */
  readonly endpoint: string;
  /** What was asked for, with the faults that were used up. */
  readonly requests: { what: string; range: string | undefined; authorization: string | undefined }[];
  readonly repositories: Map<string, Repository>;
  readonly faults: Fault[];
  close(): Promise<void>;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const gitHash = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
const shut = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

/** Sends a file or a range of it, with its fault. */
function send(request: IncomingMessage, response: ServerResponse, file: Uint8Array, fault: Fault | undefined): void {
  const bytes = fault?.body ?? file;
  const [, from] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
  const start = from === undefined || fault?.ignoreRange ? 0 : Number(from);
  if (start > 0 && start >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  const part = bytes.subarray(start);
  const range = start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': part.length, 'accept-ranges': 'bytes', ...range });
  if (request.method === 'HEAD') response.end();
  else if (fault?.cut !== undefined) response.write(part.subarray(0, fault.cut), () => response.destroy());
  else response.end(part);
  if (fault?.cut === 0) {
    response.flushHeaders();
    setTimeout(() => response.destroy(), 5);
  }
}

export async function startHub(repositories: Record<string, Repository>): Promise<Hub> {
  const known = new Map(Object.entries(repositories));
  const requests: Hub['requests'] = [];
  const faults: Fault[] = [];
  let links = 0;
  const expired = new Set<string>();

  const begin = (what: string, request: IncomingMessage, response: ServerResponse): Fault | undefined | 'done' => {
    requests.push({ what, range: request.headers.range, authorization: request.headers.authorization });
    const index = faults.findIndex(({ on }) => on === what);
    if (index < 0) return undefined;
    const fault = faults[index] as Fault;
    if (fault.after) {
      fault.after--;
      return undefined;
    }
    faults.splice(index, 1);
    if (fault.hang) return 'done';
    if (fault.cut === -1) {
      request.socket.destroy();
      return 'done';
    }
    if (fault.status !== undefined) {
      response.writeHead(fault.status, fault.headers).end('{"error":"so it is"}');
      return 'done';
    }
    return fault;
  };

  /** What lets a page of another address ask, as the Hub allows it. */
  const open = (request: IncomingMessage, response: ServerResponse): boolean => {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-allow-headers', 'authorization, range');
    response.setHeader('access-control-expose-headers', 'content-range, retry-after, x-error-code');
    if (request.method !== 'OPTIONS') return true;
    response.writeHead(204).end();
    return false;
  };

  const cdn = createServer((request, response) => {
    if (!open(request, response)) return;
    const url = new URL(request.url ?? '', 'http://cdn');
    const [, id, path] = /^\/([^/]+\/[^/]+)\/(.+)$/.exec(decodeURIComponent(url.pathname)) as unknown as string[];
    const fault = begin(`cdn ${path}`, request, response);
    if (fault === 'done') return;
    const link = url.searchParams.get('link') ?? '';
    if (expired.has(link)) {
      response.writeHead(403).end('Request has expired');
      return;
    }
    // A link serves one answer: the next try needs a new one.
    if (fault?.cut !== undefined) expired.add(link);
    send(request, response, known.get(id as string)?.files[path as string] as Uint8Array, fault);
  });
  const cdnAddress = await listen(cdn);

  const fail = (response: ServerResponse, status: number, code: string) =>
    response.writeHead(status, { 'x-error-code': code, 'x-error-message': code }).end();

  const hub = createServer((request, response) => {
    if (!open(request, response)) return;
    const url = decodeURIComponent(new URL(request.url ?? '', 'http://hub').pathname);
    const list = /^\/api\/models\/([^/]+\/[^/]+)(?:\/revision\/(.+))?$/.exec(url);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/(refs\/pr\/\d+|[^/]+)\/(.+)$/.exec(url);
    const [, id = '', revision = 'main', path = ''] = list ?? file ?? [];
    const fault = begin(list ? 'list' : path, request, response);
    if (fault === 'done') return;
    const repository = known.get(id);
    const authorized = request.headers.authorization === `Bearer ${repository?.token}`;
    if (!repository || (repository.token && !repository.gated && !authorized)) {
      fail(response, 401, 'RepoNotFound');
      return;
    }
    const { files, commit, large } = repository;
    if (!['main', 'v1.0', 'refs/pr/1', commit].includes(revision)) {
      fail(response, 404, 'RevisionNotFound');
      return;
    }
    if (list) {
      const siblings = Object.entries(files).map(([rfilename, bytes]) => ({
        rfilename,
        size: bytes.length,
        blobId: gitHash(bytes),
        ...(large.includes(rfilename) && { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 } }),
      }));
      const body = { id, modelId: id, sha: commit, private: false, downloads: 0, likes: 0, tags: [], siblings };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(fault && 'list' in fault ? fault.list : body));
      return;
    }
    if (repository.gated && !authorized) {
      fail(response, 401, 'GatedRepo');
      return;
    }
    const bytes = files[path];
    if (!bytes) {
      fail(response, 404, 'EntryNotFound');
      return;
    }
    response.setHeader('x-repo-commit', commit);
    if (!large.includes(path)) {
      response.setHeader('etag', `"${gitHash(bytes)}"`);
      send(request, response, bytes, fault);
      return;
    }
    const location = `${cdnAddress}/${id}/${path}?link=${++links}`;
    const linked = { 'x-linked-etag': `"${sha256(bytes)}"`, 'x-linked-size': bytes.length };
    response.writeHead(302, { location, ...linked, 'content-length': 0 }).end();
  });
  const endpoint = await listen(hub);
  return {
    endpoint,
    requests,
    repositories: known,
    faults,
    close: async () => {
      await Promise.all([shut(hub), shut(cdn)]);
    },
  };
}
