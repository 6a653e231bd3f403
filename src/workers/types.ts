/** A worker, seen from the thread that started it. */
export interface WorkerPort {
  post(message: unknown, transfer: readonly ArrayBuffer[]): void;
  /** Keeps the process alive, or lets it end. */
  hold(busy: boolean): void;
  terminate(): Promise<void>;
}

/** What happens in a worker. */
export interface WorkerEvents {
  onMessage(message: unknown): void;
  /** It could not be started, or has ended by itself. */
  onEnd(reason: string): void;
}

/** What a worker does. */
export interface WorkerService {
  /** Makes ready; then an answer is sent. */
  start(): Promise<unknown>;
  /** Answers one message; `transfer` is handed over. */
  answer(message: unknown): Promise<{ value: unknown; transfer: ArrayBuffer[] }>;
}

/** What a platform offers. */
export interface Workers {
  /** How many a model gets unless told otherwise: one in a web page, which must not stand still. */
  byDefault(): number;
  /** Starts one that runs src/worker.ts. @throws it cannot be started; often this comes to light later. */
  start(events: WorkerEvents): WorkerPort;
}

/**
 * In a worker: answers what it is asked. Not in `Workers`, for Turbopack follows a worker that could start itself without
 * end.
 */
export type Serve = (service: WorkerService) => void;
