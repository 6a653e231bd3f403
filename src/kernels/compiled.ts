import { kernelsBase64 } from './bytes.js';

/** Decodes and compiles the kernels: under a millisecond, synchronous everywhere. */
export function kernelsModule(): WebAssembly.Module {
  const text = atob(kernelsBase64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new WebAssembly.Module(bytes);
}
