// Where the entries of a zip file lie (APPNOTE.TXT, 4.3). Only entries that are stored as they are, which is how torch.save
// writes them: nothing is ever inflated, so that a file cannot become larger than it is. Zip libraries hand out copies of
// entries, of a checkpoint's whole size; the weights are used where they lie.

const END = 0x06054b50;
const END_SIZE = 22;
const MAX_COMMENT = 0xffff;
const CENTRAL = 0x02014b50;
const CENTRAL_SIZE = 46;
const LOCAL = 0x04034b50;
const LOCAL_SIZE = 30;
const ENCRYPTED = 1;

/** A zip file that is not as the format demands, or not as torch.save writes it. */
export class BadZip extends Error {}

/** The end record: the last one that fits. */
function findEnd(view: DataView): number {
  const last = view.byteLength - END_SIZE;
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT); at--) {
    if (view.getUint32(at, true) === END && at + END_SIZE + view.getUint16(at + 20, true) === view.byteLength)
      return at;
  }
  throw new BadZip('no end of a zip directory; the file is cut off');
}

/**
 * Lists a zip file.
 * @returns the bytes of each entry, in place.
 * @throws {BadZip} entries that are compressed, encrypted, too large, overlapping or outside of the file.
 */
export function listZip(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  const directory = view.getUint32(end + 16, true);
  const entries = new Map<string, Uint8Array>();
  const places: [begin: number, end: number][] = [];
  let at = directory;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_SIZE > end || view.getUint32(at, true) !== CENTRAL) throw new BadZip('a broken zip directory');
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const [packed, size] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
    const [nameLength, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true)) as [
      number,
      number,
      number,
    ];
    const local = view.getUint32(at + 42, true);
    const next = at + CENTRAL_SIZE + nameLength + extra + comment;
    if (next > end) throw new BadZip('a broken zip directory');
    const name = new TextDecoder().decode(bytes.subarray(at + CENTRAL_SIZE, at + CENTRAL_SIZE + nameLength));
    const quoted = JSON.stringify(name.slice(0, 120));
    if (flags & ENCRYPTED) throw new BadZip(`${quoted} is encrypted`);
    if (method !== 0) throw new BadZip(`${quoted} is compressed, which torch.save never does`);
    if (size !== packed || size === 0xffffffff) throw new BadZip(`${quoted} has no size that fits`);
    if (local + LOCAL_SIZE > directory || view.getUint32(local, true) !== LOCAL)
      throw new BadZip(`${quoted} is not in the file`);
    const begin = local + LOCAL_SIZE + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (begin + size > directory) throw new BadZip(`${quoted} runs over the end`);
    if (entries.has(name)) throw new BadZip(`${quoted} is there twice`);
    entries.set(name, bytes.subarray(begin, begin + size));
    places.push([local, begin + size]);
    at = next;
  }
  places.sort((a, b) => a[0] - b[0]);
  for (let i = 1; i < places.length; i++) {
    if ((places[i] as [number, number])[0] < (places[i - 1] as [number, number])[1])
      throw new BadZip('entries that overlap');
  }
  return entries;
}
