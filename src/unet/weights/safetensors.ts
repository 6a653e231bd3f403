import { jsonText, MAX_JSON } from '../../config/json-text.js';
import { type Dtype, ELEMENT_SIZE, type Weight, type Weights } from './weights.js';

// safetensors (https://github.com/huggingface/safetensors, Format): the length of the header as a little-endian u64, the
// header as JSON, the data without holes. The reference implementation allows a header of 100 MB, which `JSON.parse` makes
// gigabytes of, in minutes; here it may be as long as other JSON.

/** Largest rank, size of one dimension and number of elements: far above any model, far below where numbers lose a unit. */
const MAX_RANK = 16;
const MAX_ELEMENTS = 2 ** 48;

const DTYPES: Readonly<Record<string, Dtype>> = { F64: 'float64', F32: 'float32', F16: 'float16', BF16: 'bfloat16' };
/** Bytes of an element of the types that no parameter of a UNet2DModel has: such tensors are checked and left out. */
const OTHERS: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  U32: 4,
  I32: 4,
  U64: 8,
  I64: 8,
};

class Malformed extends Error {}

function integers(name: string, value: unknown, high: number, length?: number): number[] {
  const fits = (v: unknown) => typeof v === 'number' && Number.isInteger(v) && v >= 0 && v <= high;
  if (
    Array.isArray(value) &&
    value.length <= MAX_RANK &&
    (length ?? value.length) === value.length &&
    value.every(fits)
  ) {
    return value;
  }
  throw new Malformed(`${name} is no list of ${length ?? `at most ${MAX_RANK}`} sizes`);
}

function parseHeader(bytes: Uint8Array): { header: Record<string, unknown>; start: number } {
  if (bytes.length < 8) throw new Malformed('shorter than the length of its header');
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > MAX_JSON) throw new Malformed(`a header of ${length} bytes, over the limit of ${MAX_JSON}`);
  const start = 8 + Number(length);
  if (start > bytes.length) throw new Malformed(`a header of ${length} bytes in a file of ${bytes.length}`);
  let header: unknown;
  try {
    header = JSON.parse(jsonText(bytes.subarray(8, start)));
  } catch (cause) {
    throw new Malformed(`a header that is not valid JSON: ${(cause as Error).message}`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new Malformed('a header that is no object');
  }
  return { header: header as Record<string, unknown>, start };
}

/** Checks one entry of the header, and returns its place in the data. */
function readEntry(
  name: string,
  entry: unknown,
): { dtype: Dtype | undefined; shape: number[]; begin: number; end: number } {
  const quoted = JSON.stringify(name.slice(0, 120));
  if (typeof entry !== 'object' || entry === null) throw new Malformed(`${quoted} is no object`);
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  const known = typeof dtype === 'string' && (Object.hasOwn(DTYPES, dtype) || Object.hasOwn(OTHERS, dtype));
  if (!known) throw new Malformed(`${quoted} has the unknown dtype ${JSON.stringify(dtype)?.slice(0, 60)}`);
  const type = DTYPES[dtype];
  const sizes = integers(`the shape of ${quoted}`, shape, MAX_ELEMENTS);
  const [begin, end] = integers(`data_offsets of ${quoted}`, offsets, Number.MAX_SAFE_INTEGER, 2) as [number, number];
  const elements = sizes.reduce((n, size) => n * size, 1);
  if (elements > MAX_ELEMENTS) throw new Malformed(`${quoted} has too many elements`);
  const size = type ? ELEMENT_SIZE[type] : (OTHERS[dtype] as number);
  if (end - begin !== elements * size) {
    throw new Malformed(`${quoted} has ${end - begin} bytes for ${elements} elements of ${dtype}`);
  }
  return { dtype: type, shape: sizes, begin, end };
}

/**
 * Reads where the tensors of a file lie.
 * @param label how messages name the file. @param file its name in `Weights.files`.
 * @throws {Error} a file that is not as the format demands.
 */
export function readSafetensors(label: string, file: string, bytes: Uint8Array): Map<string, Weight> {
  try {
    const { header, start } = parseHeader(bytes);
    const tensors = new Map<string, Weight>();
    const places: [begin: number, end: number][] = [];
    for (const [name, entry] of Object.entries(header)) {
      if (name === '__metadata__') continue;
      const { dtype, shape, begin, end } = readEntry(name, entry);
      places.push([begin, end]);
      if (dtype) tensors.set(name, { dtype, shape, file, offset: start + begin, length: end - begin });
    }
    let at = 0;
    for (const [begin, end] of places.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
      if (begin !== at) throw new Malformed(begin < at ? 'tensors that overlap' : 'bytes that belong to no tensor');
      at = end;
    }
    if (start + at !== bytes.length) {
      throw new Malformed(`${start + at} bytes by its header, but ${bytes.length} in the file`);
    }
    return tensors;
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    throw new Error(`${label}: not a valid safetensors file (${cause.message}); fetch it again`, { cause });
  }
}

/** All tensors as one file, with the names and types that they have. */
export function writeSafetensors({ tensors, files }: Weights): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let size = 0;
  for (const [name, { dtype, shape, length }] of tensors) {
    const [type] = Object.entries(DTYPES).find(([, value]) => value === dtype) as [string, Dtype];
    header[name] = { dtype: type, shape, data_offsets: [size, size + length] };
    size += length;
  }
  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const start = 8 + Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(start + size);
  bytes.fill(32, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(text, 8);
  let at = start;
  for (const { file, offset, length } of tensors.values()) {
    bytes.set((files.get(file) as Uint8Array).subarray(offset, offset + length), at);
    at += length;
  }
  return bytes;
}
