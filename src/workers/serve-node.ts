// Within a thread of Node. workers/serve-web.ts is its twin.
import { parentPort } from 'node:worker_threads';
import { answering } from './answering.js';
import type { Serve } from './types.js';

export const serve: Serve = (service) => {
  const port = parentPort;
  if (!port) throw new Error('ddim-wasm/worker: runs in a worker only');
  answering(
    service,
    (onMessage) => port.on('message', onMessage),
    (answer, transfer) => port.postMessage(answer, transfer),
  );
};
