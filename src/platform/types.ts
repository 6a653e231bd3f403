import type * as ort from 'onnxruntime-web';

/** Settings of the progress bar, named as tqdm's. */
export interface ProgressBarConfig {
  /** Show none. Default false. */
  disable?: boolean;
  /** Text before the bar. */
  desc?: string;
  /** Leave the full bar on the screen. Default true. */
  leave?: boolean;
}

/** Tells a progress bar how much is done. */
export type Tick = (done: number, finished?: boolean) => void;

/** The only things that differ between Node and the web. */
export interface Platform {
  /** Directory or URL of the embedded model. */
  embeddedModel(): string;
  /** A file's bytes, or undefined where there is none. */
  readFile(path: string): Promise<Uint8Array | undefined>;
  isFile(path: string): Promise<boolean>;
  isDirectory(path: string): Promise<boolean>;
  /** A variable of the environment; an empty one counts as none. */
  env(name: string): string | undefined;
  /** Writes a file whole or not at all, with its directories. */
  writeFile(path: string, content: Uint8Array | string): Promise<void>;
  onnxRuntime(): Promise<typeof ort>;
  onnxRuntimeNative(): Promise<typeof ort>;
  /** Lets timers, signals and input through: a whole forward pass is one long task. */
  turn(): Promise<void>;
  progressBar(total: number, config: ProgressBarConfig): Promise<Tick>;
}
