import { platform } from '#platform';

// A page stands still while a whole model is copied or read in one task: here it is done in pieces.

/** 5 ms of copying. */
const PIECE = 8 * 2 ** 20;

/** Copies bytes into a buffer of their size. */
export async function copyInto(buffer: ArrayBuffer | SharedArrayBuffer, bytes: Uint8Array): Promise<Uint8Array> {
  const copy = new Uint8Array(buffer);
  for (let at = 0; at < bytes.length; at += PIECE) {
    copy.set(bytes.subarray(at, at + PIECE), at);
    await platform.turn();
  }
  return copy;
}

/** A Blob's bytes. */
export async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(blob.size);
  for (let at = 0; at < blob.size; at += PIECE) {
    whole.set(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()), at);
  }
  return whole;
}
