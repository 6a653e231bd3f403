/** Seconds without a byte after which a connection is given up, unless told otherwise. */
export const PATIENCE = 10;

/**
 * Runs a request with a signal that aborts with the caller's, or when `alive` has not been called for a time: told when bytes
 * arrive, the body calls it. After `stay` there is no time limit.
 */
export async function patiently<T>(
  signal: AbortSignal | undefined,
  seconds: number,
  body: (signal: AbortSignal, alive: () => void, stay: () => void) => Promise<T>,
): Promise<T> {
  // One that has aborted tells nobody.
  signal?.throwIfAborted();
  const controller = new AbortController();
  const stop = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const giveUp = () => controller.abort(new Error(`no answer for ${seconds} s`));
  const alive = () => {
    clearTimeout(timer);
    // In two halves: a thread that was busy hears of what came meanwhile before it gives up.
    timer = setTimeout(() => {
      timer = setTimeout(giveUp, 500 * seconds);
    }, 500 * seconds);
  };
  alive();
  try {
    return await body(controller.signal, alive, () => clearTimeout(timer));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    // What was left unread is not sent any more.
    controller.abort();
  }
}
