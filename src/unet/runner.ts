/** Types of elements that a model may take and give; float16 as its bits. */
export interface ElementTypes {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
}
export type ElementType = keyof ElementTypes;

/** An input or output of a forward pass: plain, so that it can go to another thread. */
export interface Value {
  readonly type: ElementType;
  readonly data: ElementTypes[ElementType];
  readonly dims: readonly number[];
}

/** What a model says of an input; a free dimension is a name. */
export interface InputInfo {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** A forward pass to be run. */
export interface Pass {
  readonly feeds: Readonly<Record<string, Value>>;
  /** The output that is asked for. */
  readonly output: string;
  /** Images that it may be split into: inputs of as many rows hold one for each, others belong to all. */
  readonly images: number;
}

/** A model that is ready to run, here or in other threads. */
export interface Runner {
  readonly inputs: readonly InputInfo[];
  readonly outputs: readonly string[];
  /** @throws the signal's reason, at once, when it aborts. */
  run(pass: Pass, signal?: AbortSignal): Promise<Value>;
  release(): Promise<void>;
}
