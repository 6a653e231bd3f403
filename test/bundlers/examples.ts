// What the bundler tests share: the package as npm packs it, the examples installed with it, and their servers.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);

/** Packs the package into a folder, as it would be published. */
export async function pack(folder: string): Promise<string> {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout } = await execute('npm', args, { cwd: root });
  return join(folder, JSON.parse(stdout)[0].filename);
}

/** The commands in the README of an example. */
export async function commands(example: string): Promise<string[]> {
  const readme = await readFile(join(root, 'examples', example, 'README.md'), 'utf8');
  const [, block] = /```sh\n([^`]*)```/.exec(readme) ?? [];
  if (block === undefined) throw new Error(`examples/${example}/README.md: no commands`);
  return block.trim().split('\n');
}

export interface Example {
  readonly folder: string;
  /** Runs a script of its package.json to the end, and returns what it prints. */
  run(script: string, ...args: string[]): Promise<string>;
  /** Runs a server on loopback until `stop`; resolves when it answers. */
  serve(script: string, args: (port: number) => string[]): Promise<{ url: string; stop(): Promise<void> }>;
  remove(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const env = { ...process.env, NODE_OPTIONS: '', NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1' };

/** A copy of an example outside the repository, with the packed package for what the registry would give. */
export async function install(example: string, tarball: string): Promise<Example> {
  const folder = await mkdtemp(join(tmpdir(), `ddim-wasm-${example}-`));
  const skipped = /\/(?:node_modules|dist|\.next|ddim-wasm)$/;
  const source = join(root, 'examples', example);
  await cp(source, folder, { recursive: true, filter: (path) => !skipped.test(path.slice(source.length)) });
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', '--ignore-scripts'];
  await execute('npm', ['install', ...quiet, tarball], { cwd: folder, env });

  return {
    folder,

    async run(script, ...args) {
      const { stdout } = await execute('npm', ['run', script, '--', ...args], { cwd: folder, env });
      return stdout;
    },

    async serve(script, args) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}/`;
      // A group of its own: npm, the shell and the server end together.
      const child = spawn('npm', ['run', script, '--', ...args(port)], { cwd: folder, env, detached: true });
      const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
      let printed = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
      const stop = async () => {
        if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid);
        await ended;
      };
      if (await answers(url, child)) return { url, stop };
      await stop();
      throw new Error(`examples/${example}: npm run ${script} does not answer\n${printed}`);
    },

    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Waits for a server, for five minutes at most. */
async function answers(url: string, child: ChildProcess): Promise<boolean> {
  const end = Date.now() + 300_000;
  while (Date.now() < end && child.exitCode === null) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return true;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return false;
}
