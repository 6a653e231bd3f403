// Edge runtimes have one thread.
import type { Workers } from './types.js';

const none = (): never => {
  throw new Error('this runtime has no workers');
};

export const workers: Workers = { byDefault: () => 0, start: none };
