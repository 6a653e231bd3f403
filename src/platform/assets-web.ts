// The files that are fetched while the library runs. Bundlers follow `new URL(<a literal>, import.meta.url)` and ship what it
// means; where they do not, `configure` tells the folder that `ddim-wasm assets` wrote (src/cli/assets.ts).
import type * as ort from 'onnxruntime-web';
import { inFolder, settings } from './settings.js';
import type { LazyFile } from './types.js';

/** The configurations of the embedded model by their paths, as JSON: put in by scripts/build.mjs. */
declare const EMBEDDED_CONFIGS: string;

const ADVICE = "run 'npx ddim-wasm assets DIR' and call configure({ assets: URL of DIR }), see docs/bundlers.md";

// dist/esm/platform: the package is three levels up.
const weightsUrl = (): string =>
  settings.assets === undefined
    ? new URL('../../../models/fashion-mnist/unet/diffusion_pytorch_model.safetensors', import.meta.url).href
    : inFolder(settings.assets, 'fashion-mnist.safetensors');

async function weights(): Promise<ArrayBuffer> {
  let url = 'fashion-mnist.safetensors';
  try {
    url = weightsUrl();
    const response = await fetch(url);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    // Servers of single-page applications have a page for every address.
    if (response.headers.get('content-type')?.startsWith('text/html')) throw new Error('the server answered a page');
    return await response.arrayBuffer();
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new Error(
      `${url}: the embedded model could not be fetched (${reason}); if your bundler does not ship it, ${ADVICE}`,
      { cause },
    );
  }
}

/** The files of the embedded model; the weights are fetched when they are needed. */
export function embeddedModel(): Record<string, Uint8Array | LazyFile> {
  const encoder = new TextEncoder();
  const configs = Object.entries<object>(JSON.parse(EMBEDDED_CONFIGS));
  return {
    ...Object.fromEntries(configs.map(([path, config]) => [path, encoder.encode(JSON.stringify(config))])),
    'unet/diffusion_pytorch_model.safetensors': { arrayBuffer: weights },
  };
}

/** onnxruntime's smallest build. Its script says itself where the WebAssembly lies. */
export async function onnxRuntime(): Promise<typeof ort> {
  const { assets } = settings;
  const runtime = await import('onnxruntime-web/wasm');
  if (assets !== undefined) runtime.env.wasm.wasmPaths = { wasm: inFolder(assets, 'ort-wasm-simd-threaded.wasm') };
  return runtime as never;
}

/** The build with WebGPU, which has another WebAssembly. */
export async function onnxRuntimeGpu(): Promise<typeof ort> {
  const { assets, webgpu } = settings;
  const runtime = (await webgpu?.()) as typeof ort;
  if (assets !== undefined) {
    runtime.env.wasm.wasmPaths = { wasm: inFolder(assets, 'ort-wasm-simd-threaded.asyncify.wasm') };
  }
  return runtime;
}

export const onnxRuntimeAdvice = `if your bundler does not ship ort-wasm-simd-threaded.wasm, ${ADVICE}`;
