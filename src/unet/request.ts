import type { Planning } from './graph/plan.js';
import type { Material } from './model.js';
import type { Pass } from './runner.js';

/** What a worker is asked about a model: to compile onnxruntime, to open the model, once, and to run it. */
export type ModelRequest =
  | { readonly prepare: true }
  | { readonly open: Material; readonly planning: Planning | null }
  | { readonly run: Pass };
