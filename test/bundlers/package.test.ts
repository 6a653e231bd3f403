// What npm would publish: its entry points and types as every resolver sees them, and its files.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { pack } from './examples.ts';

let folder: string;
let tarball: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ddim-wasm-pack-'));
  tarball = await pack(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bytes = async () => new Uint8Array(await readFile(tarball));

test('publint finds nothing', async () => {
  const { buffer } = await bytes();
  const { messages, pkg } = await publint({ strict: true, pack: { tarball: buffer } });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test('the types are right for bundlers and for Node, as a module and as CommonJS', async () => {
  // kernels.wasm is no code.
  const options = { excludeEntrypoints: ['./kernels.wasm'] };
  const result = await checkPackage(createPackageFromTarballData(await bytes()), options);
  if (!result.types) throw new Error('no types');
  // node10 knows no exports, and TypeScript 7 no node10.
  const problems = result.problems.filter(
    (problem) => !('resolutionKind' in problem) || problem.resolutionKind !== 'node10',
  );
  expect(problems).toEqual([]);
  expect(Object.keys(result.entrypoints)).toEqual(expect.arrayContaining(['.', './scheduler', './webgpu']));
});

test('no source maps, sources or tests are shipped', () => {
  const names = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
  const expectedFolders =
    /^package\/(?:dist\/(?:esm|cjs|static)\/|models\/fashion-mnist\/|(?:package\.json|README\.md|LICENSE|NOTICE|CHANGELOG\.md)$)/;
  expect(names.filter((name) => !expectedFolders.test(name) || /\.map$|(?<!\.d)\.c?ts$|\.py$/.test(name))).toEqual([]);
});
