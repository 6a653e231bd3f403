// What the page and its worker say to each other.

export type Device = 'wasm' | 'webgpu';

/** What is loaded. */
export interface Model {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly parameters: number;
  /** Whether it draws classes: the page draws class 0. */
  readonly classes: boolean;
  /** Most steps that its schedule has. */
  readonly maxSteps: number;
  readonly device: Device;
}

/** One moment of a run, all pictures after each other, 8 bits, channels interleaved. */
export interface Frame {
  /** 0: noise; n: after n steps. */
  readonly step: number;
  /** The picture that the model expects. */
  readonly guess: Uint8Array<ArrayBuffer>;
  /** The picture as it stands, noise and all. */
  readonly noisy: Uint8Array<ArrayBuffer>;
}

export type Request =
  | { type: 'load'; id: number; name: string; source: string | Record<string, Blob>; device: Device; workers: number }
  | { type: 'draw'; run: number; seeds: number[]; steps: number; eta: number }
  | { type: 'stop' }
  | { type: 'png'; pixels: Uint8Array<ArrayBuffer>; count: number; scale: number };

export type Answer =
  | { type: 'loaded'; id: number; model: Model }
  | { type: 'notLoaded'; id: number; message: string }
  | { type: 'frame'; run: number; frame: Frame }
  | { type: 'done'; run: number; pixels: Uint8Array<ArrayBuffer>; hashes: string[]; milliseconds: number }
  | { type: 'failed'; run: number; message: string }
  | { type: 'png'; bytes: Uint8Array<ArrayBuffer> };
