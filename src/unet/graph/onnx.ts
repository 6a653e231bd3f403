import type { Dtype, Weight } from '../weights/weights.js';
import { Message } from './protobuf.js';

// An ONNX model (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); numbers are the fields of that file.

const IR_VERSION = 8;
/** The newest operator set whose operators are all standard and that onnxruntime 1.12 and later know. */
const OPSET = 17;

/** TensorProto.DataType. */
const TYPES = { float32: 1, int64: 7, float16: 10, float64: 11, bfloat16: 16 } as const;
export type ElementType = keyof typeof TYPES;

/** An attribute: an integer, a list of integers, or text. A float is marked, since 1 may be either. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

/** Sizes of a value: numbers, or names for what is free. */
export type Dims = readonly (number | string)[];

/** A graph of ONNX's standard operators. Values are known by their names. */
export class OnnxGraph {
  readonly #nodes: Message[] = [];
  readonly #inputs: Message[] = [];
  readonly #outputs: Message[] = [];
  readonly #constants = new Map<string, { name: string; node: Message }>();
  readonly #weights = new Map<string, { weight: Weight; dims: readonly number[] }>();
  readonly #names = new Map<string, number>();

  /** Number of operators. */
  get size(): number {
    return this.#nodes.length;
  }

  /** A name that is not taken: `wanted`, else with a number. */
  #unique(wanted: string): string {
    const count = (this.#names.get(wanted) ?? 0) + 1;
    this.#names.set(wanted, count);
    return count === 1 ? wanted : `${wanted}.${count}`;
  }

  input(name: string, type: ElementType, dims: Dims): string {
    this.#inputs.push(valueInfo(this.#unique(name), type, dims));
    return name;
  }

  output(name: string, type: ElementType, dims: Dims): void {
    this.#outputs.push(valueInfo(name, type, dims));
  }

  /** Adds an operator; `path` is the module that it belongs to. Returns the name of its result. */
  node(path: string, type: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.nodes(path, type, inputs, attributes, 1)[0] as string;
  }

  /** The same for an operator of several results. */
  nodes(
    path: string,
    type: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    results: number,
  ): string[] {
    const name = this.#unique(`${path}/${type}`);
    const outputs = Array.from({ length: results }, (_, i) => (i === 0 ? name : `${name}:${i}`));
    this.#add(type, inputs, outputs, attributes);
    return outputs;
  }

  /** Gives a value the name of an output. */
  rename(value: string, name: string): void {
    this.#add('Identity', [value], [name], {});
  }

  #add(type: string, inputs: readonly string[], outputs: readonly string[], attributes: Record<string, Attribute>) {
    const node = new Message();
    for (const input of inputs) node.string(1, input);
    for (const output of outputs) node.string(2, output);
    node.string(4, type);
    for (const [key, value] of Object.entries(attributes)) node.message(5, attribute(key, value));
    this.#nodes.push(node);
  }

  /** A constant of float32; equal ones are kept once. */
  floats(values: ArrayLike<number>, dims: readonly number[]): string {
    const data = Float32Array.from(values);
    return this.#constant('float32', dims, new Uint8Array(data.buffer));
  }

  /** A constant of int64. */
  ints(values: readonly number[], dims: readonly number[] = [values.length]): string {
    const data = BigInt64Array.from(values, (value) => BigInt(value));
    return this.#constant('int64', dims, new Uint8Array(data.buffer));
  }

  #constant(type: ElementType, dims: readonly number[], bytes: Uint8Array): string {
    const key = `${type}[${dims.join(',')}]${bytes.length > 4096 ? this.#constants.size : String(bytes)}`;
    const known = this.#constants.get(key);
    if (known) return known.name;
    const name = this.#unique(`constant_${this.#constants.size}`);
    const value = tensor('', type, dims).bytes(9, bytes);
    const attribute = new Message().string(1, 'value').message(5, value).int(20, 4);
    this.#constants.set(key, { name, node: new Message().string(2, name).string(4, 'Constant').message(5, attribute) });
    return name;
  }

  /** A tensor of the checkpoint as float32, seen with `dims` (of the same size). */
  weight(name: string, weight: Weight, dims: readonly number[]): string {
    const key = `${name}[${dims.join(',')}]`;
    const stored = this.#weights.has(key) ? key : this.#unique(key);
    this.#weights.set(stored, { weight, dims });
    // Folded when the model is loaded.
    return weight.dtype === 'float32' ? stored : this.node(name, 'Cast', [stored], { to: TYPES.float32 });
  }

  /**
   * The bytes of a model file. Weights stay where they are, as external data, unless `files` are given: then their bytes
   * are copied into the model, which must stay below 2 GiB.
   */
  encode(files?: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
    const graph = new Message();
    // Constants are nodes, so that the initializers are the model's parameters and nothing else.
    for (const { node } of this.#constants.values()) graph.message(1, node);
    for (const node of this.#nodes) graph.message(1, node);
    graph.string(2, 'UNet2DModel');
    for (const [name, { weight, dims }] of this.#weights) {
      const initializer = tensor(name, weight.dtype, dims);
      const { file, offset, length } = weight;
      if (files) initializer.bytes(9, (files.get(file) as Uint8Array).subarray(offset, offset + length));
      else {
        for (const [key, value] of Object.entries({ location: file, offset, length })) {
          initializer.message(13, new Message().string(1, key).string(2, String(value)));
        }
        initializer.int(14, 1);
      }
      graph.message(5, initializer);
    }
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    return new Message()
      .int(1, IR_VERSION)
      .string(2, 'ddim-wasm')
      .message(7, graph)
      .message(8, new Message().string(1, '').int(2, OPSET))
      .encode();
  }
}

/** A TensorProto without its data. */
function tensor(name: string, type: Dtype | 'int64', dims: readonly number[]): Message {
  const message = new Message();
  for (const dim of dims) message.int(1, dim);
  return message.int(2, TYPES[type]).string(8, name);
}

function valueInfo(name: string, type: ElementType, dims: Dims): Message {
  const shape = new Message();
  for (const dim of dims) {
    shape.message(1, typeof dim === 'number' ? new Message().int(1, dim) : new Message().string(2, dim));
  }
  const tensorType = new Message().int(1, TYPES[type]).message(2, shape);
  return new Message().string(1, name).message(2, new Message().message(1, tensorType));
}

function attribute(name: string, value: Attribute): Message {
  const message = new Message().string(1, name);
  if (typeof value === 'number') return message.int(3, value).int(20, 2);
  if (typeof value === 'string') return message.string(4, value).int(20, 3);
  if ('float' in value) return message.float(2, value.float).int(20, 1);
  for (const item of value) message.int(8, item);
  return message.int(20, 7);
}
