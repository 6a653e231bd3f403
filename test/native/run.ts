import { existsSync } from 'node:fs';

const installed = existsSync(new URL('../../node_modules/onnxruntime-node', import.meta.url));
/** `test` where the optional peer onnxruntime-node is. Without it these tests are skipped, but never in CI. */
export const run = installed || process.env.CI ? test : test.skip;
