import { fromHalf, toHalf } from './half.js';
import type { ElementType, ElementTypes, InputInfo, Runner, Value } from './runner.js';

/** What a UNet's inputs and output are called, and of what type they are. */
export interface Inputs {
  sample: InputInfo;
  timestep: InputInfo;
  labels: InputInfo | undefined;
  output: string;
}

const NUMERIC: readonly string[] = ['float32', 'float16', 'float64', 'int64', 'int32'];

/** Tells the inputs apart: by diffusers' names, else the one of rank 4 is the sample. */
export function identify(path: string, { inputs, outputs }: Runner): Inputs {
  const named = (name: string) => inputs.find((input) => input.name === name);
  const sample = named('sample') ?? inputs.find((input) => input.shape.length === 4);
  const labels = named('class_labels');
  const timestep =
    named('timestep') ?? inputs.find((input) => input !== sample && input !== labels && input.shape.length <= 1);
  const listed = inputs.map(({ name }) => name).join(', ');
  if (!sample || !timestep) {
    throw new Error(`${path}: expected the inputs sample (rank 4) and timestep, got ${listed}`);
  }
  if (inputs.length !== (labels ? 3 : 2)) {
    throw new Error(`${path}: expected the inputs sample, timestep and perhaps class_labels, got ${listed}`);
  }
  for (const input of labels ? [sample, timestep, labels] : [sample, timestep]) {
    if (!NUMERIC.includes(input.type) || (input === sample && !input.type.startsWith('float'))) {
      throw new Error(`${path}: the input ${input.name} has the type ${input.type}, which is not supported`);
    }
  }
  const output = outputs.includes('out_sample') ? 'out_sample' : (outputs[0] as string);
  return { sample, timestep, labels, output };
}

const MAKE: { [K in ElementType]: (values: ArrayLike<number>) => ElementTypes[K] } = {
  float32: (values) => (values instanceof Float32Array ? values : Float32Array.from(values)),
  float64: (values) => Float64Array.from(values),
  float16: (values) => toHalf(Float32Array.from(values)),
  int64: (values) => BigInt64Array.from(values as number[], BigInt),
  int32: (values) => Int32Array.from(values),
};

/** Numbers in the type that an input asks for. */
export function toValue({ type }: InputInfo, values: ArrayLike<number>, dims: readonly number[]): Value {
  return { type: type as ElementType, data: MAKE[type as ElementType](values), dims };
}

/** Numbers of an output as float32. */
export function toFloats(type: ElementType, data: Value['data']): Float32Array {
  if (type === 'float32') return data as Float32Array;
  return type === 'float16' ? fromHalf(data as Uint16Array) : Float32Array.from(data as Float64Array);
}
