// In browsers: models by their addresses, the embedded one where the library looks for it.
import * as library from 'ddim-wasm';
import { serveCases } from '../client.mjs';

const base = location.origin;
const about = { isolated: globalThis.crossOriginIsolated, userAgent: navigator.userAgent };
await serveCases({ library, base, about, place: (model) => model && `${base}/${model}` });
