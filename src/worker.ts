// What a worker runs: one session, asked by src/unet/thread.ts.
import { onnxRuntime } from '#platform';
import { workers } from '#workers';
import type { Runner } from './unet/runner.js';
import { openSession } from './unet/session.js';
import type { Opening, Request, WorkerModel } from './unet/thread.js';

let runner: Runner | undefined;

async function open(model: WorkerModel): Promise<Opening> {
  runner = await openSession(model, 'wasm');
  return { inputs: runner.inputs, outputs: runner.outputs };
}

workers.serve({
  // What may be missing on a server is loaded before the worker counts as ready.
  start: onnxRuntime,
  async answer(message) {
    const request = message as Request;
    if ('open' in request) return { value: await open(request.open), transfer: [] };
    if (!runner) throw new Error('worker: no model is open');
    const value = await runner.run(request.run);
    return { value, transfer: [value.data.buffer as ArrayBuffer] };
  },
});
