import { platform } from '#platform';
import { checkFunction, checkOptions, describe } from './check.js';

/** Settings of the library as a whole, for web pages; in Node they have no effect. */
export interface Configuration {
  /**
   * The address of a folder that `npx ddim-wasm assets DIR` wrote, relative to the page or absolute: for bundlers that do not
   * find by themselves the WebAssembly of onnxruntime, the script of the workers and the weights of the embedded model.
   */
  assets?: string | URL;
  /** What `device: 'webgpu'` needs: `webgpu` of `ddim-wasm/webgpu`. */
  webgpu?: () => Promise<object>;
}

/**
 * Sets what holds for the library as a whole; call it before the first model is loaded.
 * @throws {TypeError} a value of another type.
 * @example configure({ assets: '/ddim-wasm/' });
 */
export function configure(configuration: Configuration): void {
  const { assets, webgpu } = checkOptions<Configuration>('configuration', configuration, ['assets', 'webgpu']);
  if (assets !== undefined && typeof assets !== 'string' && !(assets instanceof URL)) {
    throw new TypeError(`assets: expected a string or a URL, got ${describe(assets)}`);
  }
  checkFunction('webgpu', webgpu);
  platform.configure({ ...(assets !== undefined && { assets }), ...(webgpu && { webgpu }) });
}
