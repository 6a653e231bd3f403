import { patiently } from '../platform/patience.js';
import { timeoutOf } from './environment.js';

/** What every request of one repository shares. */
export interface Connection {
  readonly endpoint: string;
  readonly id: string;
  readonly revision: string;
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal | undefined;
}

/** The Hub could not be reached, or broke off: what was downloaded before may serve. */
export class Unreachable extends Error {}

/** Tries in a row that may bring nothing. */
const TRIES = 5;
const FIRST_PAUSE = 200;
/** Longest that a server may make us wait. */
const LONGEST_PAUSE = 60_000;

export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** How long a server asks to wait, in milliseconds: seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(response: Response): number | undefined {
  const text = response.headers.get('retry-after');
  if (!text) return undefined;
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), LONGEST_PAUSE);
}

/** What to do about an answer that trying again does not mend. */
function explain({ endpoint, id, revision, token }: Connection, response: Response, what: string): Error {
  const { status, headers } = response;
  const page = `${endpoint}/${id}`;
  const code = headers.get('x-error-code') ?? '';
  const where = `${what} of ${id}`;
  if (code === 'GatedRepo') {
    const done = token ? 'and that the token may read it' : 'then pass its token or set HF_TOKEN';
    return new Error(`${where}: the repository is gated (${status}); accept its conditions at ${page}, ${done}`);
  }
  if (code === 'RevisionNotFound') {
    return new Error(`${where}: there is no revision '${revision}' (${status}); see ${page}/tree/main`);
  }
  if (code === 'EntryNotFound') return new Error(`${where}: there is no such file at '${revision}' (${status})`);
  if (status === 401 || status === 404 || code === 'RepoNotFound') {
    const hint = token ? 'and whether the token may read it' : 'and, for a private one, pass a token or set HF_TOKEN';
    return new Error(`${where}: no such repository (${status}); check the name at ${page}, ${hint}`);
  }
  if (status === 403) return new Error(`${where}: not allowed (403); check what the token may do at ${page}`);
  return new Error(`${where}: the server answered ${status} ${response.statusText}`.trim());
}

/** Thrown by a try that may succeed the next time. */
export class Again extends Error {
  constructor(
    reason: string,
    /** Milliseconds to wait, if the server said so. */
    readonly wait?: number,
  ) {
    super(reason);
  }
}

/** Tries again, with pauses that double; after `progress`, from the beginning of the count. */
export async function retry<T>(
  connection: Connection,
  what: string,
  attempt: () => Promise<T>,
  progress: () => boolean = () => false,
): Promise<T> {
  const { id, endpoint, signal } = connection;
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Again)) throw error;
      if (progress()) tries = 1;
      if (tries >= TRIES) {
        throw new Unreachable(
          `${what} of ${id}: could not be fetched from ${endpoint} (${error.message}); check the connection and try again`,
          { cause: error },
        );
      }
      await pause(error.wait ?? FIRST_PAUSE * 2 ** (tries - 1), signal);
    }
  }
}

/** A request that is given up after a time without a byte; `body` takes the answer, telling when bytes arrive. */
export async function request<T>(
  connection: Connection,
  what: string,
  url: string,
  headers: Record<string, string>,
  body: (response: Response, alive: () => void) => Promise<T>,
): Promise<T> {
  const { fetch: send, token, endpoint } = connection;
  return patiently(connection.signal, timeoutOf(), async (signal, alive) => {
    // fetch drops the authorization when it is sent on to another host, such as a CDN.
    const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const response = await send(url, { headers: { ...headers, ...authorization }, signal }).catch((cause: unknown) => {
      throw new Again(reasonOf(signal.aborted ? signal.reason : cause));
    });
    alive();
    const { status } = response;
    if (!response.ok && status !== 416) {
      await response.body?.cancel().catch(() => {});
      // A CDN's links expire: the Hub gives a new one.
      const expired =
        [401, 403, 404, 410].includes(status) && response.redirected && !response.url.startsWith(`${endpoint}/`);
      if (status === 408 || status === 429 || status >= 500 || expired) {
        throw new Again(`the server answered ${status}`, retryAfter(response));
      }
      throw explain(connection, response, what);
    }
    return await body(response, alive);
  });
}

/** The reason of a failed fetch; undici puts it into the cause. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const { code, message: deeper } = (cause ?? {}) as NodeJS.ErrnoException;
  return deeper || code || message || String(error);
}
