// The pickles that torch.save writes for a state dict, read as data (CPython's Lib/pickletools.py documents the opcodes).
// Nothing is ever executed: REDUCE and BUILD know a handful of names and make records of them, every other name is refused.

/** A pickle that is broken, or that wants more than a state dict needs. */
export class BadPickle extends Error {}

/** A name that a pickle asks for, such as torch.FloatStorage. */
export class Global {
  constructor(readonly name: string) {}
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** What a persistent id stands for: torch's storages. */
export class Persistent {
  constructor(readonly id: Value) {}
}

/** A tensor as `_rebuild_tensor_v2` would make it. */
export class TensorRecord {
  constructor(
    readonly storage: Persistent,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Value[]
  | Map<Value, Value>
  | Global
  | Tuple
  | Persistent
  | TensorRecord;

/** Names that stand for themselves: types of storages, given to a persistent id. */
const STORAGE = /^torch\.(Float|Half|BFloat16|Double|Long|Int|Short|Char|Byte|Bool)Storage$/;

const MARK = Symbol('mark');
type Slot = Value | typeof MARK;

/** Largest stack, and memo: a state dict of 10,000 tensors needs 50,000 of either. */
const MAX_SLOTS = 1_000_000;

function sizes(value: Value | undefined): number[] {
  if (value instanceof Tuple && value.items.length <= 16) {
    const items = value.items.filter((item) => typeof item === 'number' && Number.isInteger(item) && item >= 0);
    if (items.length === value.items.length) return items as number[];
  }
  throw new BadPickle('a tensor whose sizes are no tuple of integers');
}

/** What calls are allowed, and what they make: no more than a state dict is built of. */
const CALLS: Readonly<Record<string, (args: readonly Value[]) => Value>> = {
  'collections.OrderedDict': (args) => {
    if (args.length > 0) throw new BadPickle('an OrderedDict with arguments');
    return new Map();
  },
  'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides]) => {
    if (!(storage instanceof Persistent)) throw new BadPickle('a tensor without a storage');
    if (typeof offset !== 'number' || !Number.isInteger(offset) || offset < 0)
      throw new BadPickle('a tensor without a place');
    return new TensorRecord(storage, offset, sizes(shape), sizes(strides));
  },
  'torch._utils._rebuild_parameter': ([data]) => parameter(data),
  'torch._utils._rebuild_parameter_with_state': ([data]) => parameter(data),
  'torch.Size': ([size]) => (size instanceof Tuple ? size : new Tuple([])),
};

function parameter(data: Value | undefined): TensorRecord {
  if (data instanceof TensorRecord) return data;
  throw new BadPickle('a parameter without a tensor');
}

function global(name: string): Global {
  if (Object.hasOwn(CALLS, name) || STORAGE.test(name)) return new Global(name);
  throw new BadPickle(
    `it asks for ${JSON.stringify(name.slice(0, 120)).slice(1, -1)}, which is no part of a state dict; nothing of it was run. ` +
      'Do not trust this file; look for one that ends in .safetensors',
  );
}

/**
 * Reads one pickle.
 * @returns its value, and where it ended.
 * @throws {BadPickle} an opcode or name that no state dict has.
 */
export function readPickle(bytes: Uint8Array, start = 0): { value: Value; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder('utf-8', { fatal: true });
  const stack: Slot[] = [];
  const memo = new Map<number, Value>();
  let at = start;

  const skip = (length: number): number => {
    if (length > bytes.length - at) throw new BadPickle('it is cut off');
    at += length;
    return at - length;
  };
  const string = (length: number): string => {
    const from = skip(length);
    try {
      return text.decode(bytes.subarray(from, from + length));
    } catch {
      throw new BadPickle('a text that is not UTF-8');
    }
  };
  const line = (): string => {
    const stop = bytes.indexOf(10, at);
    if (stop < 0) throw new BadPickle('it is cut off');
    const result = string(stop - at);
    at++;
    return result;
  };
  const u8 = () => view.getUint8(skip(1));
  const u32 = () => view.getUint32(skip(4), true);
  const u64 = () => {
    const value = view.getBigUint64(skip(8), true);
    if (value > bytes.length) throw new BadPickle('it is cut off');
    return Number(value);
  };
  const push = (value: Slot) => {
    if (stack.length >= MAX_SLOTS) throw new BadPickle('too many values');
    stack.push(value);
  };
  const pop = (): Value => {
    const value = stack.pop();
    if (value === undefined || value === MARK) throw new BadPickle('a value is missing');
    return value;
  };
  const top = (): Value => {
    const value = stack.at(-1);
    if (value === undefined || value === MARK) throw new BadPickle('a value is missing');
    return value;
  };
  const popMark = (): Value[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) throw new BadPickle('a mark is missing');
    return (stack.splice(mark) as Value[]).slice(1);
  };
  const remember = (index: number) => {
    if (memo.size >= MAX_SLOTS) throw new BadPickle('too many values');
    memo.set(index, top());
  };
  const recall = (index: number) => {
    const value = memo.get(index);
    if (value === undefined) throw new BadPickle('a remembered value is missing');
    push(value);
  };
  const setItems = (items: readonly Value[]) => {
    const target = top();
    if (!(target instanceof Map) || items.length % 2 !== 0) throw new BadPickle('keys for something that is no dict');
    for (let i = 0; i < items.length; i += 2) target.set(items[i] as Value, items[i + 1] as Value);
  };
  const append = (items: readonly Value[]) => {
    const target = top();
    if (!Array.isArray(target)) throw new BadPickle('items for something that is no list');
    for (const item of items) target.push(item);
  };
  const long = (length: number): Value => {
    const from = skip(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[from + i] as number);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  };

  const tuple = (count: number) => {
    const items: Value[] = [];
    for (let i = 0; i < count; i++) items.unshift(pop());
    push(new Tuple(items));
  };

  for (;;) {
    const opcode = u8();
    switch (opcode) {
      case 0x80: // PROTO
        if (u8() > 5) throw new BadPickle('a protocol newer than 5');
        break;
      case 0x95: // FRAME
        u64();
        break;
      case 0x28: // MARK
        push(MARK);
        break;
      case 0x4e: // NONE
        push(null);
        break;
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        push(opcode === 0x88);
        break;
      case 0x4a: // BININT
        push(view.getInt32(skip(4), true));
        break;
      case 0x4b: // BININT1
        push(u8());
        break;
      case 0x4d: // BININT2
        push(view.getUint16(skip(2), true));
        break;
      case 0x8a: // LONG1
        push(long(u8()));
        break;
      case 0x47: // BINFLOAT
        push(view.getFloat64(skip(8), false));
        break;
      case 0x58: // BINUNICODE
        push(string(u32()));
        break;
      case 0x8c: // SHORT_BINUNICODE
        push(string(u8()));
        break;
      case 0x8d: // BINUNICODE8
        push(string(u64()));
        break;
      case 0x7d: // EMPTY_DICT
        push(new Map());
        break;
      case 0x5d: // EMPTY_LIST
        push([]);
        break;
      case 0x29: // EMPTY_TUPLE
        push(new Tuple([]));
        break;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        tuple(opcode - 0x84);
        break;
      case 0x74: // TUPLE
        push(new Tuple(popMark()));
        break;
      case 0x61: // APPEND
        append([pop()]);
        break;
      case 0x65: // APPENDS
        append(popMark());
        break;
      case 0x73: {
        // SETITEM
        const value = pop();
        setItems([pop(), value]);
        break;
      }
      case 0x75: // SETITEMS
        setItems(popMark());
        break;
      case 0x71: // BINPUT
        remember(u8());
        break;
      case 0x72: // LONG_BINPUT
        remember(u32());
        break;
      case 0x94: // MEMOIZE
        remember(memo.size);
        break;
      case 0x68: // BINGET
        recall(u8());
        break;
      case 0x6a: // LONG_BINGET
        recall(u32());
        break;
      case 0x63: // GLOBAL
        push(global(`${line()}.${line()}`));
        break;
      case 0x93: {
        // STACK_GLOBAL
        const [name, module] = [pop(), pop()];
        if (typeof name !== 'string' || typeof module !== 'string') throw new BadPickle('a name that is no text');
        push(global(`${module}.${name}`));
        break;
      }
      case 0x51: // BINPERSID
        push(new Persistent(pop()));
        break;
      case 0x52: {
        // REDUCE
        const [args, callee] = [pop(), pop()];
        const call = callee instanceof Global && Object.hasOwn(CALLS, callee.name) ? CALLS[callee.name] : undefined;
        if (!call || !(args instanceof Tuple)) throw new BadPickle('a call of something that is no function');
        push(call(args.items));
        break;
      }
      case 0x62: // BUILD: attributes of a state dict (_metadata), of no use here
        if (!(pop() instanceof Map) || !(top() instanceof Map))
          throw new BadPickle('attributes for something that is no dict');
        break;
      case 0x2e: // STOP
        return { value: pop(), end: at };
      default:
        throw new BadPickle(`the opcode 0x${opcode.toString(16).padStart(2, '0')} is no part of a state dict`);
    }
  }
}
