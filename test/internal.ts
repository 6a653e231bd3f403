// Modules that are not exported, for tests of what no public function shows: bundled on their own and imported.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Bundles `src/<path>.ts`; returns the file. */
export async function bundleInternal(path: string): Promise<string> {
  const outfile = `${root}build/internal/${path.replaceAll('/', '-')}-${process.pid}.mjs`;
  await build({
    entryPoints: [`${root}src/${path}.ts`],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    alias: {
      '#platform': `${root}src/platform/node.ts`,
      '#hub': `${root}src/hub/open.ts`,
      '#kernels': `${root}src/kernels/compiled.ts`,
      '#workers': `${root}src/workers/node.ts`,
      '#serve': `${root}src/workers/serve-node.ts`,
    },
    logLevel: 'warning',
  });
  return outfile;
}

/** Imports `src/<path>.ts`. */
export async function internal<T>(path: string): Promise<T> {
  return (await import(await bundleInternal(path))) as T;
}
