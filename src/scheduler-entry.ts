// ddim-wasm/scheduler: noise and steps without onnxruntime, for edge code that runs its model elsewhere.
export type { DDIMSchedulerConfig, SchedulerConfig } from './config/scheduler.js';
export { Generator, randnTensor } from './generator.js';
export { useKernels } from './kernels/load.js';
export { DDIMScheduler, type DDIMSchedulerOutput, type StepOptions } from './scheduler/scheduler.js';
export type { Tensor } from './tensor.js';
