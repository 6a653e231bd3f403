import type { Pass, Value } from './runner.js';

/** The rows of a value, copied, so that they can be handed over. */
function rows({ type, data, dims }: Value, from: number, to: number): Value {
  const size = data.length / (dims[0] as number);
  return { type, data: data.slice(from * size, to * size), dims: [to - from, ...dims.slice(1)] };
}

/** Splits a pass into parts of neighbouring images, as many in each as in the others, or one more. */
export function split({ feeds, output, images }: Pass, parts: number): Pass[] {
  return Array.from({ length: parts }, (_, part) => {
    const [from, to] = [part, part + 1].map((i) => Math.floor((i * images) / parts)) as [number, number];
    const own = (value: Value): Value =>
      value.dims[0] === images ? rows(value, from, to) : { ...value, data: value.data.slice() };
    const entries = Object.entries(feeds).map(([name, value]) => [name, own(value)]);
    return { feeds: Object.fromEntries(entries), output, images: to - from };
  });
}

/** The results of the parts as one, in their order. */
export function join(values: readonly Value[]): Value {
  const [first] = values as [Value];
  if (values.length === 1) return first;
  const images = values.reduce((n, { dims }) => n + (dims[0] as number), 0);
  const length = values.reduce((n, { data }) => n + data.length, 0);
  const data = new (first.data.constructor as new (length: number) => Value['data'])(length);
  let at = 0;
  for (const value of values) {
    data.set(value.data as never, at);
    at += value.data.length;
  }
  return { type: first.type, data, dims: [images, ...first.dims.slice(1)] };
}
