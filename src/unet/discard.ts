import { platform } from '#platform';

/**
 * Gives the memory of bytes back, and waits until it is. Nobody may use them any more: their buffer is detached. Left to the
 * garbage collector, which does not hurry for what lies outside of its own heap, the files of a model would still be there
 * when the first forward pass takes its memory. Parts of a buffer, and shared ones, are left alone.
 */
export async function discard(bytes: Uint8Array): Promise<void> {
  const buffer = bytes.buffer as ArrayBuffer & { transfer?(length: number): ArrayBuffer };
  if (Object.prototype.toString.call(buffer) !== '[object ArrayBuffer]') return;
  if (bytes.byteLength !== buffer.byteLength) return;
  if (buffer.transfer) buffer.transfer(0);
  else if (typeof MessageChannel === 'function') {
    // Before Node 22: on its way to a port that is closed it is dropped, a turn or two later.
    const { port1, port2 } = new MessageChannel();
    port2.close();
    port1.postMessage(null, [buffer]);
    port1.close();
    await platform.turn();
    await platform.turn();
  }
}
