// What must be known of an ONNX file before it is loaded: ModelProto.graph (7) .initializer (5), and of each TensorProto
// its dims (1), data_type (2) and external_data (13), entries of key (1) and value (2). The rest is skipped, unread, by
// protobuf's wire format.

/** What a file says of its weights. */
export interface OnnxFile {
  /** Names of the files that its external data lie in, below its own folder. */
  readonly externalData: readonly string[];
  /** Number of floating-point weights. */
  readonly parameters: number;
}

interface Field {
  number: number;
  /** The value of a varint, else 0. */
  value: number;
  /** The contents of a length-delimited field, else empty. */
  bytes: Uint8Array;
}

class Malformed extends Error {}

const NONE = new Uint8Array(0);
/** Far above any model: each takes memory. */
const MAX_FIELDS = 100_000;
/** TensorProto.DataType: float, float16, double, bfloat16. */
const FLOATS: ReadonlySet<number> = new Set([1, 10, 11, 16]);

class Reader {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      if (this.done) throw new Malformed('a number runs over the end');
      const byte = this.bytes[this.at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Malformed('a number of more than 64 bits');
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new Malformed('a field runs over the end');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

function fields(bytes: Uint8Array, wanted: readonly number[]): Field[] {
  const reader = new Reader(bytes);
  const found: Field[] = [];
  while (!reader.done) {
    const key = reader.varint();
    const field: Field = { number: Math.floor(key / 8), value: 0, bytes: NONE };
    const type = key % 8;
    if (type === 0) field.value = reader.varint();
    else if (type === 1) reader.take(8);
    else if (type === 2) field.bytes = reader.take(reader.varint());
    else if (type === 5) reader.take(4);
    else throw new Malformed(`a field of the unknown type ${type}`);
    if (!wanted.includes(field.number)) continue;
    found.push(field);
    if (found.length > MAX_FIELDS) throw new Malformed(`more than ${MAX_FIELDS} fields of a kind`);
  }
  return found;
}

function elements(tensor: readonly Field[]): number {
  let count = 1;
  for (const { value, bytes } of tensor.filter((f) => f.number === 1)) {
    if (bytes === NONE) count *= value;
    else for (const packed = new Reader(bytes); !packed.done; ) count *= packed.varint();
  }
  return count;
}

/**
 * Reads the list of weights of a model.
 * @throws {Error} bytes that are no ONNX model, or external data outside of the model's folder.
 */
export function readOnnxFile(path: string, model: Uint8Array): OnnxFile {
  const text = new TextDecoder();
  const locations = new Set<string>();
  let parameters = 0;
  try {
    const [graph] = fields(model, [7]);
    if (!graph) throw new Malformed('no graph in it');
    for (const initializer of fields(graph.bytes, [5])) {
      const tensor = fields(initializer.bytes, [1, 2, 13]);
      if (FLOATS.has(tensor.find((f) => f.number === 2)?.value ?? 0)) parameters += elements(tensor);
      for (const entry of tensor.filter((f) => f.number === 13)) {
        const pair = fields(entry.bytes, [1, 2]).map((f) => text.decode(f.bytes));
        if (pair[0] === 'location' && pair[1] !== undefined) locations.add(pair[1]);
      }
    }
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    throw new Error(`${path}: not a valid ONNX model (${cause.message}); fetch or export it again`, { cause });
  }
  for (const location of locations) {
    const parts = location.split(/[/\\]/);
    if (/^[a-z]+:/i.test(location) || parts.some((part) => part === '..' || part === '')) {
      throw new Error(`${path}: refused external data outside of the model's folder: ${JSON.stringify(location)}`);
    }
  }
  return { externalData: [...locations], parameters };
}
