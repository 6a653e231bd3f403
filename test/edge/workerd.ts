// Starts workerd, from the packages of examples/edge, on a free port of loopback.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const example = `${root}examples/edge`;

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** @param config a .capnp file with a socket called http. */
export async function serve(config: string): Promise<Served> {
  const { default: binary } = createRequire(`${example}/package.json`)('workerd') as { default: string };
  const child = spawn(binary, ['serve', '--socket-addr=http=127.0.0.1:0', '--control-fd=3', config], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  const ended = once(child, 'exit');
  const control = child.stdio[3] as NodeJS.ReadableStream;
  const [line] = (await Promise.race([once(control, 'data'), ended])) as [unknown];
  const { port } = JSON.parse(String(line)) as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      child.kill();
      await ended;
    },
  };
}
