// Apart from types.ts, which the public types refer to: those of onnxruntime want the DOM's.
import type * as ort from 'onnxruntime-web';

/** Loads onnxruntime. Not in `Platform`: a bundler leaves it out where nothing loads a model. */
export type OnnxRuntime = () => Promise<typeof ort>;

/** What to do when onnxruntime does not start. */
export type OnnxRuntimeAdvice = () => Promise<string>;
