// ddim-wasm/webgpu: an entry of its own, since bundlers ship the 27 MB of WebAssembly of whatever they find an import for.

/**
 * Loads onnxruntime with WebGPU, when the first model asks for it.
 * @example
 * import { configure, DDIMPipeline } from 'ddim-wasm';
 * import { webgpu } from 'ddim-wasm/webgpu';
 *
 * configure({ webgpu });
 * const pipe = await DDIMPipeline.fromPretrained('google/ddpm-cifar10-32', { device: 'webgpu' });
 */
export const webgpu: () => Promise<object> = () => import('onnxruntime-web/webgpu');
