export type { DDIMSchedulerConfig, SchedulerConfig } from './config/scheduler.js';
export type { UNetConfig } from './config/unet.js';
export { type Configuration, configure } from './configure.js';
export { Generator, randnTensor } from './generator.js';
export type { ModelFiles } from './hub/memory.js';
export type { DownloadProgress, HubOptions } from './hub/place.js';
export { RawImage } from './image.js';
export { makeImageGrid } from './image-grid.js';
export { useKernels } from './kernels/load.js';
export {
  DDIMPipeline,
  type GenerateOptions,
  type GenerationStep,
  type Images,
  type OutputType,
  type PretrainedOptions,
  type UNetLike,
} from './pipeline.js';
export type { ProgressBarConfig } from './platform/types.js';
export {
  DDIMScheduler,
  type DDIMSchedulerOutput,
  type SchedulerOptions,
  type StepOptions,
} from './scheduler/scheduler.js';
export type { Tensor } from './tensor.js';
export type { ClassLabels } from './unet/class-labels.js';
export type { Device } from './unet/device.js';
export type { ConvolutionPlan } from './unet/model.js';
export { type ForwardOptions, UNet2DModel, type UNetOptions } from './unet/unet.js';
export type { Winograd } from './unet/winograd.js';
