// Threads of Node (and of Deno and Bun, through their Node layer). workers/web.ts is its twin.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Workers } from './types.js';

declare const __dirname: string;

// CommonJS has no import.meta.url; Bun has __dirname in ES modules too.
const script = import.meta.url
  ? fileURLToPath(new URL('ddim-wasm-worker.js', import.meta.url))
  : join(__dirname, 'ddim-wasm-worker.cjs');

export const workers: Workers = {
  byDefault: () => 0,

  start({ onMessage, onEnd }) {
    // The flags of this process, such as --input-type, are not meant for the worker.
    const worker = new Worker(script, { execArgv: [] });
    worker.on('message', onMessage);
    worker.on('messageerror', (error) => onEnd(error.message));
    worker.on('error', (error) => onEnd(error.message));
    worker.on('exit', (code) => onEnd(`exit code ${code}`));
    return {
      post: (message, transfer) => worker.postMessage(message, transfer),
      hold: (busy) => (busy ? worker.ref() : worker.unref()),
      terminate: async () => {
        await worker.terminate();
      },
    };
  },
};
