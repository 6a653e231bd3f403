// A page stands still while a whole model is copied or read in one task: that is done in pieces.

/** 5 ms of copying. */
export const PIECE = 8 * 2 ** 20;

/** Bytes of chunks that become a Blob: a copy that no page notices. */
const ENOUGH = 2 ** 20;

/** Bytes that arrive in chunks, as Blobs when there are enough of them: they are never joined or copied as a whole. */
export class Pieces {
  readonly #blobs: Blob[] = [];
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #inChunks = 0;
  size = 0;

  append(bytes: Uint8Array): void {
    this.size += bytes.length;
    this.#chunks.push(bytes as Uint8Array<ArrayBuffer>);
    this.#inChunks += bytes.length;
    if (this.#inChunks >= ENOUGH) this.#seal();
  }

  #seal(): void {
    this.#blobs.push(new Blob(this.#chunks));
    this.#chunks = [];
    this.#inChunks = 0;
  }

  toBlob(): Blob {
    this.#seal();
    return new Blob(this.#blobs);
  }
}

/** A Blob's bytes. */
export async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(blob.size);
  for (let at = 0; at < blob.size; at += PIECE) {
    whole.set(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()), at);
  }
  return whole;
}
