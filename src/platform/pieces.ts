// A page stands still while a whole model is copied or read in one task: that is done in pieces.

/** 5 ms of copying. */
export const PIECE = 8 * 2 ** 20;

/** A Blob's bytes. */
export async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(blob.size);
  for (let at = 0; at < blob.size; at += PIECE) {
    whole.set(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()), at);
  }
  return whole;
}
