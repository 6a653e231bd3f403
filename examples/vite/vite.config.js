import { defineConfig } from 'vite';

// For any path of a server. Nothing is configured for ddim-wasm.
export default defineConfig({ base: './' });
