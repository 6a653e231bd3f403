// Protocol Buffers' wire format (https://protobuf.dev/programming-guides/encoding), as much as ONNX needs of it.

const utf8 = new TextEncoder();

/** A message under construction: a list of pieces, joined once at the end, so that weights are copied once at most. */
export class Message {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  #push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  #key(field: number, wireType: number): void {
    this.#push(varint(field * 8 + wireType));
  }

  /** An int64, int32 or enum field. */
  int(field: number, value: number): this {
    this.#key(field, 0);
    this.#push(varint(value));
    return this;
  }

  float(field: number, value: number): this {
    this.#key(field, 5);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#key(field, 2);
    this.#push(varint(value.length));
    this.#push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  message(field: number, value: Message): this {
    this.#key(field, 2);
    this.#push(varint(value.#length));
    for (const piece of value.#pieces) this.#push(piece);
    return this;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }
}

/** Base-128 digits, lowest first; a negative number as its 64-bit two's complement. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const digit = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? digit : digit | 128);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}
