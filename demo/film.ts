import type { Frame } from './protocol.js';

/** Memory for one run; of longer ones every second, third ... frame is kept. */
const MAX_BYTES = 256 * 2 ** 20;

/** The frames of a run, by their steps. */
export class Film {
  readonly #frames: Frame[] = [];
  readonly #every: number;

  constructor(
    readonly steps: number,
    noise: Uint8Array<ArrayBuffer>,
  ) {
    this.#every = Math.max(1, Math.ceil((2 * noise.length * steps) / MAX_BYTES));
    this.#frames.push({ step: 0, guess: noise, noisy: noise });
  }

  /** Steps that have been taken. */
  get length(): number {
    return this.last.step;
  }

  get last(): Frame {
    return this.#frames.at(-1) as Frame;
  }

  /** The last frame always stays until the next one comes. */
  add(frame: Frame): void {
    if (this.#frames.length > 1 && this.last.step % this.#every !== 0) this.#frames.pop();
    this.#frames.push(frame);
  }

  /** The result in place of the last guess. */
  finish(pixels: Uint8Array<ArrayBuffer>): void {
    this.#frames.pop();
    this.#frames.push({ step: this.steps, guess: pixels, noisy: pixels });
  }

  /** The frame at a step, or the nearest one before it. */
  at(step: number): Frame {
    return this.#frames.findLast((frame) => frame.step <= step) as Frame;
  }
}
