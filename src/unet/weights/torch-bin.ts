import { BadPickle, Global, type Persistent, readPickle, TensorRecord, Tuple, type Value } from './pickle.js';
import { type Dtype, ELEMENT_SIZE, type Weight, type Weights } from './weights.js';
import { BadZip, listZip } from './zip.js';

// What torch.save writes (torch/serialization.py): since 1.6 a zip of data.pkl, the pickled state dict, and data/<key>, the
// bytes of each storage; before that one pickle after another, and then the storages.

const DTYPES: Readonly<Record<string, Dtype>> = {
  'torch.FloatStorage': 'float32',
  'torch.HalfStorage': 'float16',
  'torch.BFloat16Storage': 'bfloat16',
  'torch.DoubleStorage': 'float64',
};

/** First number of the older format. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;

/** The bytes of a storage by its key. */
type Storages = ReadonlyMap<string, Uint8Array>;

interface Storage {
  readonly key: string;
  /** undefined: integers, which no parameter of a UNet2DModel is made of. */
  readonly dtype: Dtype | undefined;
}

/** ('storage', type, key, location, number of elements[, view]). */
function storageOf({ id }: Persistent): Storage {
  const [kind, type, key] = id instanceof Tuple ? id.items : [];
  if (kind !== 'storage' || !(type instanceof Global) || typeof key !== 'string') {
    throw new BadPickle('a storage that is not described as torch does');
  }
  return { key, dtype: DTYPES[type.name] };
}

/** The tensors of a state dict. */
function* stateDict(value: Value): Generator<[name: string, tensor: TensorRecord]> {
  if (!(value instanceof Map)) throw new BadPickle('no state dict');
  for (const [name, tensor] of value) {
    if (typeof name !== 'string') throw new BadPickle('a tensor whose name is no text');
    const quoted = JSON.stringify(name.slice(0, 120));
    if (tensor instanceof Map)
      throw new BadPickle(`${quoted} is a dict of its own; diffusers saves a state dict alone`);
    if (!(tensor instanceof TensorRecord)) throw new BadPickle(`${quoted} is no tensor`);
    yield [name, tensor];
  }
}

/** Whether the elements lie one after another, the last dimension fastest. */
function isContiguous({ shape, strides }: TensorRecord): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i] as number;
  }
  return true;
}

/** The elements of a view, copied into a row. */
function gather({ shape, strides, offset }: TensorRecord, storage: Uint8Array, size: number): Uint8Array {
  const count = shape.reduce((n, d) => n * d, 1);
  const bytes = new Uint8Array(count * size);
  const index = new Array<number>(shape.length).fill(0);
  let from = offset;
  for (let i = 0; i < count; i++) {
    bytes.set(storage.subarray(from * size, (from + 1) * size), i * size);
    for (let d = shape.length - 1; d >= 0; d--) {
      from += strides[d] as number;
      index[d] = (index[d] as number) + 1;
      if ((index[d] as number) < (shape[d] as number)) break;
      from -= (strides[d] as number) * (shape[d] as number);
      index[d] = 0;
    }
  }
  return bytes;
}

function place(file: string, bytes: Uint8Array, value: Value, storages: Storages): Weights {
  const tensors = new Map<string, Weight>();
  const files = new Map([[file, bytes]]);
  let copied = 0;
  for (const [name, tensor] of stateDict(value)) {
    const quoted = JSON.stringify(name.slice(0, 120));
    const { key, dtype } = storageOf(tensor.storage);
    const storage = storages.get(key);
    if (!storage) throw new BadPickle(`the storage of ${quoted} is missing`);
    if (!dtype) continue;
    const { shape, strides, offset } = tensor;
    if (strides.length !== shape.length) throw new BadPickle(`${quoted} has other strides than sizes`);
    const size = ELEMENT_SIZE[dtype];
    const count = shape.reduce((n, d) => n * d, 1);
    const last = count === 0 ? 0 : shape.reduce((n, d, i) => n + (d - 1) * (strides[i] as number), offset) + 1;
    if (!(Math.max(last, count) * size <= storage.length))
      throw new BadPickle(`${quoted} runs over the end of its storage`);
    const weight = { dtype, shape, length: count * size };
    if (count === 0 || isContiguous(tensor)) {
      const at = count === 0 ? 0 : storage.byteOffset - bytes.byteOffset + offset * size;
      tensors.set(name, { ...weight, file, offset: at });
    } else {
      copied += weight.length;
      // Views of the same elements without end.
      if (copied > bytes.length) throw new BadPickle('views that together are larger than the file');
      const copy = `${file}#${name}`;
      files.set(copy, gather(tensor, storage, size));
      tensors.set(name, { ...weight, file: copy, offset: 0 });
    }
  }
  return { tensors, files };
}

function readZip(file: string, bytes: Uint8Array): Weights {
  const entries = listZip(bytes);
  const [pickle] = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) throw new BadZip('no data.pkl in it');
  const prefix = pickle.slice(0, -'data.pkl'.length);
  const order = entries.get(`${prefix}byteorder`);
  if (order && new TextDecoder().decode(order) !== 'little') throw new BadZip('written on a big-endian machine');
  const storages = new Map<string, Uint8Array>();
  for (const [name, entry] of entries) {
    if (name.startsWith(`${prefix}data/`)) storages.set(name.slice(prefix.length + 'data/'.length), entry);
  }
  return place(file, bytes, readPickle(entries.get(pickle) as Uint8Array).value, storages);
}

/** Magic number, version, system, state dict, keys of the storages; then for each key its length and its bytes. */
function readLegacy(file: string, bytes: Uint8Array): Weights {
  let at = 0;
  const next = (): Value => {
    const { value, end } = readPickle(bytes, at);
    at = end;
    return value;
  };
  if (next() !== LEGACY_MAGIC) throw new BadPickle('no magic number of torch.save');
  if (next() !== 1001) throw new BadPickle('an unknown version of torch.save');
  const system = next();
  if (system instanceof Map && system.get('little_endian') === false)
    throw new BadPickle('written on a big-endian machine');
  const state = next();
  const keys = next();
  if (!Array.isArray(keys)) throw new BadPickle('no list of storages');
  const sizes = new Map<string, number>();
  for (const [, { storage }] of stateDict(state)) {
    const { key, dtype } = storageOf(storage);
    if (!dtype) throw new BadPickle('a storage of integers, in the format before torch 1.6');
    sizes.set(key, ELEMENT_SIZE[dtype]);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const storages = new Map<string, Uint8Array>();
  for (const key of keys) {
    const size = typeof key === 'string' ? sizes.get(key) : undefined;
    if (size === undefined || bytes.length - at < 8)
      throw new BadPickle('a storage that no tensor uses, or that is cut off');
    const length = Number(view.getBigUint64(at, true)) * size;
    at += 8;
    if (length > bytes.length - at) throw new BadPickle('a storage that is cut off');
    storages.set(key as string, bytes.subarray(at, at + length));
    at += length;
  }
  return place(file, bytes, state, storages);
}

/**
 * Reads where the tensors of a file of torch.save lie. A tensor that is a view out of order is copied into a file of its
 * own; all others stay in place.
 * @param label how messages name the file. @param file its name in `Weights.files`.
 * @throws {Error} a broken file, or one that holds more than a state dict. Nothing in it is ever executed.
 */
export function readTorchBin(label: string, file: string, bytes: Uint8Array): Weights {
  try {
    const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
    return isZip ? readZip(file, bytes) : readLegacy(file, bytes);
  } catch (cause) {
    if (!(cause instanceof BadPickle || cause instanceof BadZip)) throw cause;
    throw new Error(`${label}: not a checkpoint that can be read (${cause.message})`, { cause });
  }
}
