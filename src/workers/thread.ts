import { workers } from '#workers';
import type { WorkerPort } from './types.js';

/** How it answers; the first answer, to no question, says that it is ready. */
export type Answer =
  | { readonly value: unknown }
  | { readonly error: { readonly name: string; readonly message: string } };

/** Rejects when the signal aborts, whatever becomes of the promise. */
async function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

const ERRORS = { TypeError, RangeError };

function toError({ name, message }: { name: string; message: string }): Error {
  return new (ERRORS[name as keyof typeof ERRORS] ?? Error)(message);
}

/** One worker, asked one thing at a time. */
export class Thread {
  readonly #port: WorkerPort;
  /** The question that it works on. */
  #open: { resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined;
  #last: Promise<unknown>;
  #ended: Error | undefined;
  #gone: Promise<void> | undefined;
  #ready = false;
  #load = 0;
  /** Told when it ends by itself. */
  onEnd: (error: Error) => void = () => {};

  private constructor() {
    this.#last = this.#answer();
    this.#port = workers.start({
      onMessage: (message) => this.#settle(message as Answer),
      onEnd: (reason) => {
        const error = new Error(
          this.#ready ? `workers: one ended by itself (${reason}); load the model again` : reason,
        );
        void this.end(error);
        this.onEnd(error);
      },
    });
  }

  /** A worker that is ready. @throws {Error} it could not be started. */
  static async start(): Promise<Thread> {
    const thread = new Thread();
    try {
      await thread.#last;
    } catch (error) {
      await thread.end(error as Error);
      throw error;
    }
    thread.#ready = true;
    thread.#port.hold(false);
    return thread;
  }

  /** Questions without an answer. */
  get load(): number {
    return this.#load;
  }

  /**
   * Asks it, after what it was asked before.
   * @throws {Error} what went wrong there. @throws the signal's reason, at once, when it aborts.
   */
  ask<T>(request: object, transfer: readonly ArrayBuffer[], signal?: AbortSignal): Promise<T> {
    if (this.#load++ === 0) this.#port.hold(true);
    const answer = this.#last.then(() => {
      signal?.throwIfAborted();
      if (this.#ended) throw this.#ended;
      this.#port.post(request, transfer);
      return this.#answer();
    });
    const done = () => {
      if (--this.#load === 0 && !this.#ended) this.#port.hold(false);
    };
    this.#last = answer.then(done, done);
    return (signal ? unless(signal, answer) : answer) as Promise<T>;
  }

  /** Ends the worker: what waits for it, and what is asked later, gets the error. */
  async end(error: Error): Promise<void> {
    if (!this.#ended) {
      this.#ended = error;
      this.#open?.reject(error);
      // The end is waited for.
      this.#port.hold(true);
      this.#gone = this.#port.terminate();
    }
    await this.#gone;
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#open = { resolve, reject };
    });
  }

  #settle(answer: Answer): void {
    if ('error' in answer) this.#open?.reject(toError(answer.error));
    else this.#open?.resolve(answer.value);
    this.#open = undefined;
  }
}
