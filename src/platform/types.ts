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

export type Algorithm = 'SHA-1' | 'SHA-256';
/** What a worker is asked, to hash a file. */
export interface DigestRequest {
  readonly digest: Blob;
  readonly algorithm: Algorithm;
}
export type DigestBlob = (algorithm: Algorithm, file: Blob) => Promise<ArrayBuffer>;

/** A download under way: bytes from the first on, kept when it is broken off. */
export interface Part {
  /** Bytes that are here. */
  readonly size: number;
  append(bytes: Uint8Array): Promise<void>;
  /** Throws away what is here. */
  restart(): Promise<void>;
  /**
   * Hash of `prefix` and the bytes, in hex; undefined where there are no digests. `digest` gives that of a Blob: it is handed
   * in, for a worker's own modules must not lead to what starts workers.
   */
  digest(algorithm: Algorithm, prefix: Uint8Array, digest: DigestBlob): Promise<string | undefined>;
  /** The bytes are complete and right: from now on they are in the store. */
  finish(): Promise<void>;
  /** Ends the download, finished or not. */
  close(): Promise<void>;
}

/** What was downloaded of one repository: files by their hash, and snapshots of commits that point to them. */
export interface Store {
  /** The commit that a branch or tag meant when it was last looked up. */
  readRef(revision: string): Promise<string | undefined>;
  writeRef(revision: string, commit: string): Promise<void>;
  /** @throws {Error} more bytes than the limit, which are not read. */
  find(commit: string, path: string, limit: number): Promise<Uint8Array | undefined>;
  has(commit: string, path: string): Promise<boolean>;
  /** A file's place on disk; undefined where there are none. */
  locate(commit: string, path: string): Promise<string | undefined>;
  /** Makes a path of a snapshot point to the file of that hash; false if it is not here. */
  link(commit: string, path: string, hash: string): Promise<boolean>;
  /** Begins a download, or goes on with one that was broken off. */
  open(hash: string): Promise<Part>;
}

/** What was downloaded of a repository; `cacheDir` in place of the usual place. Not in `Platform`, for not all need it. */
export type OpenStore = (id: string, cacheDir: string | undefined) => Promise<Store>;

/** What a file in memory must offer: a Blob does. It is read when it is needed. */
export interface LazyFile {
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** What `configure` can set. */
export interface Settings {
  /** The folder of the files that are fetched while the library runs. */
  assets?: string | URL;
  /** Loads onnxruntime with WebGPU. */
  webgpu?: () => Promise<object>;
}

/** The only things that differ between Node and the web. */
export interface Platform {
  /** The embedded model: its directory, or its files. */
  embeddedModel(): Promise<string | Record<string, Uint8Array | LazyFile>>;
  /** Takes what `configure` was given. Nothing of it concerns Node. */
  configure(settings: Settings): void;
  /** A file's bytes, or undefined where there is none. @throws {Error} more of them than the limit, which are not read. */
  readFile(path: string, limit: number): Promise<Uint8Array | undefined>;
  isFile(path: string): Promise<boolean>;
  isDirectory(path: string): Promise<boolean>;
  /** A variable of the environment; an empty one counts as none. */
  env(name: string): string | undefined;
  /** The token that a login saved (huggingface_hub's $HF_HOME/token). */
  savedToken(): Promise<string | undefined>;
  /** Shows the progress of downloads, in bytes: `tick(loaded, total)`. */
  downloadBar(name: string): Promise<(loaded: number, total: number) => void>;
  /** Writes a file whole or not at all, with its directories. */
  writeFile(path: string, content: Uint8Array | string): Promise<void>;
  /** Why a page has no WebGPU; undefined where there is. @throws {RangeError} where there are no pages. */
  webGpuMissing(): Promise<string | undefined>;
  /** The bytes of onnxruntime's WebAssembly, where it would read them and keep them for good (14 MB, twice). */
  onnxRuntimeWasm?(): Promise<Uint8Array | undefined>;
  /** Lets timers, signals and input through: a whole forward pass is one long task. */
  turn(): Promise<void>;
  progressBar(total: number, config: ProgressBarConfig): Promise<Tick>;
}
