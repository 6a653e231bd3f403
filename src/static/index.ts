// dist/static/index.js: the library for pages without a bundler. Whatever it fetches lies beside it.
import { configure } from '../configure.js';
import { webgpu } from '../webgpu.js';

configure({ assets: new URL('.', import.meta.url), webgpu });

export * from '../index.js';
