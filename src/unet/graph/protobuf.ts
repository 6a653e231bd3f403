// Protocol Buffers' wire format (https://protobuf.dev/programming-guides/encoding), as much as ONNX needs of it.

const utf8 = new TextEncoder();

/** From this length on, bytes are kept where they are until the end, so that weights are copied once. */
const LARGE = 4096;

/** A message under construction. */
export class Message {
  /** What is written so far, but for the large pieces. */
  #bytes = new Uint8Array(64);
  #length = 0;
  /** Large pieces, each with its place in `#bytes`. */
  readonly #pieces: { readonly at: number; readonly piece: Uint8Array }[] = [];
  #total = 0;

  /** Makes room for `count` bytes and counts them as written; returns where they begin. */
  #room(count: number): number {
    const at = this.#length;
    this.#length += count;
    this.#total += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }

  #push(piece: Uint8Array): void {
    if (piece.length < LARGE) {
      const at = this.#room(piece.length);
      this.#bytes.set(piece, at);
    } else {
      this.#pieces.push({ at: this.#length, piece });
      this.#total += piece.length;
    }
  }

  /** Base-128 digits, lowest first; a negative number as its 64-bit two's complement. */
  #varint(value: number): void {
    if (value < 0) {
      // The lowest 28 bits, the next 28 and the last 8 by themselves: no sum leaves the integers.
      const low = ((value % 2 ** 28) + 2 ** 28) % 2 ** 28;
      const middle = ((Math.floor(value / 2 ** 28) % 2 ** 28) + 2 ** 28) % 2 ** 28;
      for (let shift = 0; shift < 28; shift += 7) this.#byte(((low >> shift) & 127) | 128);
      for (let shift = 0; shift < 28; shift += 7) this.#byte(((middle >> shift) & 127) | 128);
      this.#byte(255);
      this.#byte(1);
      return;
    }
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#byte((rest % 128) | 128);
    this.#byte(rest);
  }

  #byte(value: number): void {
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  #key(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  /** An int64, int32 or enum field. */
  int(field: number, value: number): this {
    this.#key(field, 0);
    this.#varint(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#key(field, 5);
    const at = this.#room(4);
    new DataView(this.#bytes.buffer).setFloat32(at, value, true);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#key(field, 2);
    this.#varint(value.length);
    this.#push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  message(field: number, value: Message): this {
    this.#key(field, 2);
    this.#varint(value.#total);
    const at = this.#room(value.#length);
    this.#bytes.set(value.#bytes.subarray(0, value.#length), at);
    for (const inner of value.#pieces) this.#pieces.push({ at: at + inner.at, piece: inner.piece });
    for (const { piece } of value.#pieces) this.#total += piece.length;
    return this;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#total);
    let from = 0;
    let to = 0;
    const copy = (piece: Uint8Array) => {
      bytes.set(piece, to);
      to += piece.length;
    };
    for (const { at, piece } of this.#pieces) {
      copy(this.#bytes.subarray(from, at));
      copy(piece);
      from = at;
    }
    copy(this.#bytes.subarray(from, this.#length));
    return bytes;
  }
}
