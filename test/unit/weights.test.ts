// Readers of weights: what torch and safetensors wrote (fixtures/weights), and files that mean harm.
import { readFile } from 'node:fs/promises';
import type { Folder } from '../../src/hub/folder.ts';
import type { Weights } from '../../src/unet/weights/weights.ts';
import { internal } from '../internal.ts';
import { failure, fixture, readJson, sha256 } from '../support.ts';

const { readSafetensors } =
  await internal<typeof import('../../src/unet/weights/safetensors.ts')>('unet/weights/safetensors');
const { readTorchBin } = await internal<typeof import('../../src/unet/weights/torch-bin.ts')>('unet/weights/torch-bin');
const { readWeights } = await internal<typeof import('../../src/unet/weights/read.ts')>('unet/weights/read');

const text = (value: string) => new TextEncoder().encode(value);
const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

type Expected = Record<string, { dtype: string; shape: number[]; sha256: string }>;
const { files } = await readJson<{ files: Record<string, Expected> }>('weights/weights.json');

const read = (file: string, bytes: Uint8Array): Weights =>
  file.endsWith('.bin')
    ? readTorchBin(file, file, bytes)
    : { tensors: readSafetensors(file, file, bytes), files: new Map([[file, bytes]]) };

describe.each(Object.entries(files))('%s', (name, expected) => {
  test('every tensor, its type, shape and bytes', async () => {
    const bytes = new Uint8Array(await readFile(fixture(`weights/${name}`)));
    const { tensors, files } = read(name, bytes);
    const found = [...tensors].map(([tensor, { dtype, shape, file, offset, length }]) => {
      const part = (files.get(file) as Uint8Array).subarray(offset, offset + length);
      return [tensor, { dtype, shape, sha256: sha256(part) }];
    });
    expect(Object.fromEntries(found)).toEqual(expected);
    // In place, but for views that are out of order.
    const copied = [...tensors].filter(([, { file }]) => file !== name).map(([tensor]) => tensor);
    expect(copied.sort()).toEqual(name.endsWith('.bin') ? ['columns', 'permuted', 'transposed'] : []);
    expect(files.get(name)).toBe(bytes);
  });
});

/** Time of this process's own, in ms: others on the machine count for nothing. */
function cpuTime(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** A safetensors file with this header; the length may lie. */
function safetensors(header: string | object, data = new Uint8Array(0), length?: bigint): Uint8Array {
  const json = text(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  return concat(prefix, json, data);
}
const entry = (dtype: unknown, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

test.each<[what: string, bytes: Uint8Array, message: RegExp]>([
  ['nothing', new Uint8Array(0), /shorter than the length of its header/],
  [
    'a length of 2^63',
    safetensors('{}', undefined, 2n ** 63n),
    /a header of 9223372036854775808 bytes, over the limit/,
  ],
  ['a header longer than the file', safetensors('{}', undefined, 1000n), /a header of 1000 bytes in a file of 10/],
  ['a header of 4 MB that is not there', safetensors('{}', undefined, 4_000_000n), /in a file of 10/],
  ['no UTF-8', concat(safetensors('', undefined, 2n), Uint8Array.of(0xff, 0xfe)), /not valid JSON/],
  ['no JSON', safetensors('{"a":'), /not valid JSON/],
  ['an array', safetensors('[]'), /a header that is no object/],
  ['null', safetensors('null'), /a header that is no object/],
  ['deep nesting', safetensors('['.repeat(200_000)), /nested deeper than 32/],
  ['a key twice', safetensors('{"a": {}, "\\u0061": {}}'), /the key "a" is there twice/],
  ['a tensor that is a number', safetensors({ a: 1 }), /"a" is no object/],
  [
    'an unknown dtype',
    safetensors({ a: entry('F31', [1], 0, 4) }, new Uint8Array(4)),
    /"a" has the unknown dtype "F31"/,
  ],
  ['a dtype of the prototype', safetensors({ a: entry('constructor', [1], 0, 4) }), /unknown dtype "constructor"/],
  [
    'a shape of 2^63',
    safetensors('{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,4]}}'),
    /the shape of "a" is no list/,
  ],
  [
    'shapes whose product overflows',
    safetensors({ a: entry('F32', [2 ** 40, 2 ** 40, 0], 0, 0), b: entry('F32', [2 ** 40, 2 ** 40], 0, 4) }),
    /"b" has too many elements/,
  ],
  ['a negative size', safetensors({ a: entry('F32', [-1], 0, 4) }), /the shape of "a" is no list/],
  ['a fractional size', safetensors({ a: entry('F32', [1.5], 0, 6) }), /the shape of "a" is no list/],
  ['a rank of 17', safetensors({ a: entry('F32', new Array(17).fill(1), 0, 4) }), /the shape of "a" is no list/],
  [
    'offsets that are reversed',
    safetensors({ a: entry('F32', [1], 4, 0) }, new Uint8Array(4)),
    /"a" has -4 bytes for 1 elements/,
  ],
  [
    'three offsets',
    safetensors({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }),
    /data_offsets of "a" is no list of 2/,
  ],
  [
    'too few bytes for the shape',
    safetensors({ a: entry('F32', [2], 0, 4) }, new Uint8Array(4)),
    /"a" has 4 bytes for 2 elements of F32/,
  ],
  [
    'offsets beyond the file',
    safetensors({ a: entry('F32', [2], 0, 8) }, new Uint8Array(4)),
    /bytes by its header, but/,
  ],
  [
    'overlap',
    safetensors({ a: entry('F32', [1], 0, 4), b: entry('F32', [1], 2, 6) }, new Uint8Array(6)),
    /tensors that overlap/,
  ],
  [
    'a hole',
    safetensors({ a: entry('F32', [1], 0, 4), b: entry('F32', [1], 8, 12) }, new Uint8Array(12)),
    /bytes that belong to no tensor/,
  ],
  [
    'something after the end',
    safetensors({ a: entry('F32', [1], 0, 4) }, new Uint8Array(5)),
    /bytes by its header, but/,
  ],
])('safetensors: %s is refused', (_, bytes, message) => {
  expect(() => readSafetensors('here/file', 'file', bytes)).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/^here\/file: not a valid safetensors file \(.*\); fetch it again$/),
    }),
  );
  expect(() => readSafetensors('here/file', 'file', bytes)).toThrow(message);
});

test('safetensors: names of the prototype are names', () => {
  const header = '{"__proto__": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}';
  const tensors = readSafetensors('x', 'x', safetensors(header, new Uint8Array(4)));
  expect([...tensors.keys()]).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>).dtype).toBeUndefined();
});

/** A zip of stored entries; `change` breaks what it likes. */
function zip(
  entries: Record<string, Uint8Array>,
  change: (bytes: DataView, central: number, end: number) => void = () => {},
): Uint8Array {
  const locals: Uint8Array[] = [];
  const centrals: Uint8Array[] = [];
  let at = 0;
  for (const [name, bytes] of Object.entries(entries)) {
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, name.length, true);
    const central = new DataView(new ArrayBuffer(46));
    central.setUint32(0, 0x02014b50, true);
    central.setUint32(20, bytes.length, true);
    central.setUint32(24, bytes.length, true);
    central.setUint16(28, name.length, true);
    central.setUint32(42, at, true);
    const whole = concat(new Uint8Array(local.buffer), text(name), bytes);
    locals.push(whole);
    centrals.push(concat(new Uint8Array(central.buffer), text(name)));
    at += whole.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, centrals.length, true);
  end.setUint32(16, at, true);
  const result = concat(...locals, ...centrals, new Uint8Array(end.buffer));
  change(new DataView(result.buffer), at, result.length - 22);
  return result;
}
const setSizes = (view: DataView, central: number, size: number) => {
  view.setUint32(central + 20, size, true);
  view.setUint32(central + 24, size, true);
};
const pickled = (...parts: (string | number)[]) =>
  zip({
    'm/data.pkl': concat(...parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : text(part)))),
    'm/data/0': new Uint8Array(16),
  });

const two = { 'm/data.pkl': text('\u0080\u0002}.'), 'm/data/0': new Uint8Array(16) };

test.each<[what: string, bytes: Uint8Array, message: RegExp]>([
  ['nothing', new Uint8Array(0), /it is cut off/],
  ['text', text('version https://git-lfs.github.com/spec/v1\n'), /the opcode 0x76 is no part of a state dict/],
  ['a zip that is cut off', zip(two).subarray(0, 120), /no end of a zip directory/],
  [
    'compression',
    zip(two, (v, c) => v.setUint16(c + 10, 8, true)),
    /"m\/data.pkl" is compressed, which torch.save never does/,
  ],
  ['encryption', zip(two, (v, c) => v.setUint16(c + 8, 1, true)), /"m\/data.pkl" is encrypted/],
  ['sizes that differ: a bomb', zip(two, (v, c) => v.setUint32(c + 24, 0xfffffff0, true)), /has no size that fits/],
  ['sizes of zip64', zip(two, (v, c) => setSizes(v, c, 0xffffffff)), /has no size that fits/],
  ['an entry beyond the file', zip(two, (v, c) => setSizes(v, c, 5000)), /runs over the end/],
  ['a local header beyond the file', zip(two, (v, c) => v.setUint32(c + 42, 0xfffffff0, true)), /is not in the file/],
  [
    '65,535 entries that are not there',
    zip(two, (v, _, e) => v.setUint16(e + 10, 0xffff, true)),
    /a broken zip directory/,
  ],
  [
    'a directory beyond the file',
    zip(two, (v, _, e) => v.setUint32(e + 16, 0xfffffff0, true)),
    /a broken zip directory/,
  ],
  [
    'overlapping entries',
    zip({ ...two, 'm/data/1': new Uint8Array(16) }, (v, c) =>
      v.setUint32(c + 2 * 46 + 10 + 8 + 42, v.getUint32(c + 46 + 10 + 42, true), true),
    ),
    /overlap|is not in the file/,
  ],
  [
    'an entry twice',
    zip(two, (v, c) => {
      for (let i = 0; i < 8; i++) v.setUint8(c + 46 + i, 120);
      v.setUint16(c + 28, 8, true);
    }),
    /broken zip directory|no data.pkl/,
  ],
  ['no data.pkl', zip({ 'm/x': new Uint8Array(4) }), /no data.pkl in it/],
  ['big-endian', zip({ ...two, 'm/byteorder': text('big') }), /written on a big-endian machine/],
  [
    'os.system',
    pickled(0x80, 2, 'cposix\nsystem\n(X', 2, 0, 0, 0, 'idtR.'),
    /it asks for "?posix.system"?, which is no part of a state dict; nothing of it was run/,
  ],
  [
    'os.system by STACK_GLOBAL',
    pickled(0x80, 4, 0x8c, 5, 'posix', 0x8c, 6, 'system', 0x93, 0x8c, 2, 'id', 0x85, 'R.'),
    /posix.system/,
  ],
  ['builtins.eval', pickled(0x80, 2, 'cbuiltins\neval\n.'), /builtins.eval/],
  ['__builtin__.getattr', pickled('c__builtin__\ngetattr\n.'), /__builtin__.getattr/],
  ['a name with dots', pickled(0x80, 4, 0x8c, 5, 'torch', 0x8c, 9, 'os.system', 0x93, '.'), /torch.os.system/],
  ['a name that looks like a storage', pickled('ctorch\nEvilStorage\n.'), /torch.EvilStorage/],
  ['INST', pickled('(iposix\nsystem\n.'), /the opcode 0x69 is no part/],
  ['OBJ', pickled('(o.'), /the opcode 0x6f is no part/],
  ['NEWOBJ', pickled(')', 0x81, '.'), /the opcode 0x81 is no part/],
  ['EXT1', pickled(0x82, 1, '.'), /the opcode 0x82 is no part/],
  ['a call of a text', pickled('X', 1, 0, 0, 0, 'a)R.'), /a call of something that is no function/],
  ['a call of a storage type', pickled('ctorch\nFloatStorage\n)R.'), /a call of something that is no function/],
  [
    'a state that is set on a call',
    pickled('ccollections\nOrderedDict\n)R]b.'),
    /attributes for something that is no dict/,
  ],
  ['a memo that is not there', pickled('h', 9, '.'), /a remembered value is missing/],
  ['a mark that is not there', pickled('t.'), /a mark is missing/],
  ['an empty stack', pickled('.'), /a value is missing/],
  ['a text of 4 GB', pickled('X', 255, 255, 255, 255, '.'), /it is cut off/],
  ['a text of 2^63 bytes', pickled(0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80, '.'), /it is cut off/],
  ['a protocol of the future', pickled(0x80, 6, '}.'), /a protocol newer than 5/],
  ['no dict', pickled('].'), /no state dict/],
  ['a dict within', pickled('}X', 1, 0, 0, 0, 'a}s.'), /"a" is a dict of its own; diffusers saves a state dict alone/],
  ['a value that is no tensor', pickled('}X', 1, 0, 0, 0, 'aK', 1, 's.'), /"a" is no tensor/],
  [
    'a persistent id of another kind',
    pickled('}X', 1, 0, 0, 0, 'actorch._utils\n_rebuild_tensor_v2\n(X', 1, 0, 0, 0, 'xQK', 0, ')', ')', 0x89, 'NtRs.'),
    /a storage that is not described as torch does/,
  ],
])('.bin: %s is refused', async (_, bytes, message) => {
  const error = await failure(() => readTorchBin('here/file', 'file', bytes));
  expect(error.message).toMatch(/^here\/file: not a checkpoint that can be read \(.*\)$/s);
  expect(error.message).toMatch(message);
});

test('.bin: views of the same elements under many names are refused', () => {
  const string = (value: string) => ['X', value.length, 0, 0, 0, value];
  const tensor = [
    'ctorch._utils\n_rebuild_tensor_v2\n((',
    ...string('storage'),
    'ctorch\nFloatStorage\n',
    ...[...string('0'), ...string('cpu')],
    ...['K', 4, 'tQK', 0, '(K', 2, 'K', 2, 't(K', 1, 'K', 2, 't', 0x89, 'ccollections\nOrderedDict\n)RtRq', 1],
  ];
  const names = (count: number) => Array.from({ length: count }, (_, i) => [...string(`${10 + i}`), 'h', 1]).flat();
  const file = (count: number) => pickled(0x80, 2, '}(', ...string('a'), ...tensor, ...names(count), 'u.');
  expect(readTorchBin('x', 'x', file(10)).tensors.size).toBe(11);
  expect(() => readTorchBin('x', 'x', file(90))).toThrow(/views that together are larger than the file/);
});

test('.bin: values without end cost bounded time and memory', () => {
  const marks = concat(text('('.repeat(3_000_000)), text('.'));
  const time = cpuTime(() =>
    expect(() => readTorchBin('x', 'x', zip({ 'm/data.pkl': marks }))).toThrow(/too many values/),
  );
  expect(time).toBeLessThan(5000);
});

test('safetensors: a header of 100 MB is refused, one within the limit costs bounded time and memory', () => {
  const large = new Uint8Array(8 + 100_000_000).fill(32);
  new DataView(large.buffer).setBigUint64(0, 100_000_000n, true);
  expect(() => readSafetensors('x', 'x', large)).toThrow(/a header of 100000000 bytes, over the limit of 4194304/);
  const { rss } = process.memoryUsage();
  const keys = Array.from({ length: 400_000 }, (_, i) => `"${i.toString(36)}":{}`);
  for (const header of [
    `{"a":[${'[],'.repeat(1_390_000)}[]]}`,
    `{"a":[${'{},'.repeat(1_390_000)}{}]}`,
    `{${keys.join()}}`,
    `{"a":"${'\\"'.repeat(2_000_000)}"}`,
  ]) {
    expect(header.length).toBeGreaterThan(3_500_000);
    const time = cpuTime(() => expect(() => readSafetensors('x', 'x', safetensors(header))).toThrow(/^x: not a valid/));
    expect(time).toBeLessThan(10_000);
  }
  expect(process.memoryUsage().rss - rss).toBeLessThan(1e9);
});

/** A folder in memory. */
const folder = (files: Record<string, Uint8Array>): Folder => ({
  name: 'model',
  label: (path) => `model/${path}`,
  find: async (path) => files[path],
  has: async (path) => path in files,
  locate: async () => undefined,
  expect: async () => {},
});
const INDEX = 'diffusion_pytorch_model.safetensors.index.json';
const index = (map: unknown) => ({ [INDEX]: text(JSON.stringify({ weight_map: map })) });

test.each<[what: string, files: Record<string, Uint8Array>, message: RegExp]>([
  ['nothing there', {}, /^model: found neither model.onnx nor one of diffusion_pytorch_model.safetensors, /],
  ['a shard elsewhere', index({ a: '../../secret.safetensors' }), /refused the shard "..\/..\/secret.safetensors"/],
  ['an absolute shard', index({ a: '/etc/x.safetensors' }), /refused the shard/],
  ['a Windows path', index({ a: 'c:\\x.safetensors' }), /refused the shard/],
  ['a URL', index({ a: 'http://x/y.safetensors' }), /refused the shard/],
  ['a shard of another kind', index({ a: 'x.bin' }), /refused the shard/],
  ['a shard that is a number', index({ a: 7 }), /refused the shard 7/],
  ['no weight_map', { [INDEX]: text('{}') }, /not a valid index of shards \(no weight_map\)/],
  ['a weight_map that is a list', index([]), /no weight_map/],
  ['null', { [INDEX]: text('null') }, /no weight_map/],
  ['deep nesting', { [INDEX]: text('['.repeat(1_000_000)) }, /nested deeper than 32/],
  ['a long index', { [INDEX]: new Uint8Array(33 * 2 ** 20).fill(32) }, /over the limit/],
  [
    'a tensor twice',
    { [INDEX]: text('{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}') },
    /the key "a" is there twice/,
  ],
  [
    '1,001 shards',
    index(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`t${i}`, `${i}.safetensors`]))),
    /more than 1000 shards/,
  ],
  [
    'a shard that is not there',
    index({ a: 'x.safetensors' }),
    /model\/x.safetensors: no such file; the folder has only a part of the weights/,
  ],
  [
    'a tensor that is not in its shard',
    { ...index({ a: 'x.safetensors' }), 'x.safetensors': safetensors('{}') },
    /model\/x.safetensors: the tensor a, which its index promises, is not in it/,
  ],
])('an index of shards: %s', async (_, files, message) => {
  expect((await failure(() => readWeights(folder(files)))).message).toMatch(message);
});

test('a variant that is not there says which to leave out', async () => {
  const error = await failure(() => readWeights(folder({}), { variant: 'fp16' }));
  expect(error.message).toMatch(/diffusion_pytorch_model.fp16.safetensors.*leave out the variant 'fp16'/);
});
