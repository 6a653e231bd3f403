// What a worker runs: one session, asked by src/unet/pool.ts, or a hash, asked by src/hub/digest.ts.
import { onnxRuntime } from '#platform';
import { serve } from '#serve';
import type { DigestRequest } from './platform/types.js';
import { type OpenSession, openMaterial } from './unet/open-material.js';
import type { ModelRequest } from './unet/request.js';
import { prepareSession } from './unet/session.js';

let session: OpenSession | undefined;

serve({
  // What may be missing on a server is loaded before the worker counts as ready.
  start: onnxRuntime,
  async answer(message) {
    const request = message as ModelRequest | DigestRequest;
    if ('prepare' in request) {
      prepareSession('wasm');
      return { value: undefined, transfer: [] };
    }
    if ('open' in request) {
      session = await openMaterial(request.open, 'wasm', request.planning, () => true);
      return { value: session.about, transfer: [] };
    }
    if ('digest' in request) {
      const value = await crypto.subtle.digest(request.algorithm, await request.digest.arrayBuffer());
      return { value, transfer: [value] };
    }
    if (!session) throw new Error('worker: no model is open');
    const value = await session.runner.run(request.run);
    return { value, transfer: [value.data.buffer as ArrayBuffer] };
  },
});
