// What a worker runs: one session, asked by src/unet/pool.ts, or a hash, asked by src/hub/digest.ts.
import { onnxRuntime } from '#platform';
import { serve } from '#serve';
import type { Algorithm } from './platform/types.js';
import type { Planning } from './unet/graph/plan.js';
import type { Material } from './unet/model.js';
import { type OpenSession, openMaterial } from './unet/open-material.js';
import type { Pass } from './unet/runner.js';
import { prepareSession } from './unet/session.js';

/** What a worker is asked: to compile onnxruntime, to open a model, once, and to run it; or the hash of a file. */
export type Request =
  | { readonly prepare: true }
  | { readonly open: Material; readonly planning: Planning | null }
  | { readonly run: Pass }
  | { readonly digest: Blob; readonly algorithm: Algorithm };

let session: OpenSession | undefined;

serve({
  // What may be missing on a server is loaded before the worker counts as ready.
  start: onnxRuntime,
  async answer(message) {
    const request = message as Request;
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
