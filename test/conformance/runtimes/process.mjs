// Runtimes that are a program with a script: Node, Deno, Bun, and Node under an emulator.
import { execFile, spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const here = fileURLToPath(new URL('..', import.meta.url));

/** The first of some programs that is there: a path, or a name that is looked up in PATH. */
export async function findProgram(...candidates) {
  for (const candidate of candidates.filter(Boolean)) {
    const places = candidate.includes('/')
      ? [candidate]
      : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, candidate));
    for (const place of places) {
      if (
        await access(place).then(
          () => true,
          () => false,
        )
      )
        return place;
    }
  }
  return undefined;
}

/** The first version number that a program tells, or undefined if it does not run. */
export async function versionOf(program, ...args) {
  const output = await run(program, args, { timeout: 60_000 }).catch(() => undefined);
  return output && /\d+(?:[.-]\d+)+\S*/.exec(`${output.stdout}${output.stderr}`)?.[0];
}

/** Starts a program in a process group of its own, so that stopping it leaves none of its children. */
export function startProgram(program, args, { env = {}, cleanUp = async () => {} } = {}) {
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  let said = '';
  child.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(-2000);
  });
  const closed = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`${signal ?? `code ${code}`} ${said.trim()}`.trim()));
  });
  const kill = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  };
  process.once('exit', kill);
  return {
    ended: closed,
    async stop() {
      process.off('exit', kill);
      kill();
      await closed;
      await cleanUp();
    },
  };
}

/**
 * @param command program and arguments before the script.
 * @param more version arguments, and what else a runtime may say (runtimes.mjs).
 */
export const processRuntime = (name, command, { version = ['--version'], ...more }) => ({
  name,
  ...more,
  async find() {
    const [program, ...args] = await command();
    if (!program) return undefined;
    const told = await versionOf(program, ...(more.emulated ? args : []), ...version);
    if (!told) return undefined;
    return {
      version: told,
      start: ({ base, folder }) => startProgram(program, [...args, join(here, 'entries/process.mjs'), base, folder]),
    };
  },
});
