// Noise by relaxed SIMD: the same suite over the other build. It needs a processor that fuses multiply-adds, as x86-64 ones
// do since 2013 and arm64 ones always.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundleInternal } from '../internal.ts';
import { withDirectory } from '../support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Node 20 has relaxed SIMD behind a flag, which later ones do not know. */
const flags = WebAssembly.validate(readFileSync(join(root, 'build/fused.wasm')))
  ? []
  : ['--experimental-wasm-relaxed-simd'];
const node = (...args: string[]) => promisify(execFile)(process.execPath, [...flags, ...args], { cwd: root });

test('it is used here, and not if a coefficient differs in one bit', async () => {
  const { stdout } = await node('test/unit/fused.mjs', await bundleInternal('kernels/fused'));
  expect(JSON.parse(stdout)).toEqual({ used: true, spoilt: [false, false, false] });
});

test('generator.test.ts with it', () =>
  withDirectory(async (directory) => {
    const output = join(directory, 'results.json');
    const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
    await node(...jest, 'test/unit/generator.test.ts', '--json', `--outputFile=${output}`);
    const { success, numPassedTests } = JSON.parse(await readFile(output, 'utf8'));
    expect(success).toBe(true);
    expect(numPassedTests).toBeGreaterThan(100);
  }));
