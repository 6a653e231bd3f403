// Within a Web Worker. workers/serve-node.ts is its twin.
import { answering } from './answering.js';
import type { Serve } from './types.js';

export const serve: Serve = (service) => {
  const scope = globalThis as unknown as Worker;
  answering(
    service,
    (onMessage) => scope.addEventListener('message', ({ data }) => onMessage(data)),
    (answer, transfer) => scope.postMessage(answer, transfer),
  );
};
