// Web Workers. workers/node.ts is its twin.
import { inFolder, settings } from '../platform/settings.js';
import type { Workers } from './types.js';

export const workers: Workers = {
  byDefault: () => (typeof document === 'object' && typeof Worker === 'function' ? 1 : 0),

  start({ onMessage, onEnd }) {
    // In this very form, for bundlers look for it.
    const worker = settings.assets
      ? new Worker(inFolder(settings.assets, 'ddim-wasm-worker.js'), { type: 'module' })
      : new Worker(new URL('./ddim-wasm-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => onMessage(data);
    worker.onmessageerror = () => onEnd('a message could not be read');
    worker.onerror = (event) => {
      event.preventDefault();
      onEnd(event.message || 'its script could not be loaded');
    };
    return {
      post: (message, transfer) => worker.postMessage(message, [...transfer]),
      hold: () => {},
      terminate: async () => worker.terminate(),
    };
  },
};
