// workerd, what Cloudflare Workers run on: serves a Worker on loopback, and is asked once.
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram, versionOf } from './process.mjs';

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Asks as soon as something listens; gives up with the program. */
async function ask(url, ended) {
  let over = false;
  ended.then(() => {
    over = true;
  });
  while (!over) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return;
    await sleep(200);
  }
}

export const workerdRuntime = (name, program, more) => ({
  name,
  ...more,
  async find() {
    const found = await program();
    const version = found && (await versionOf(found, '--version'));
    if (!version) return undefined;
    const port = await freePort();
    return {
      version,
      start({ base, folder }) {
        const config = join(folder, 'build/conformance/worker/worker.capnp');
        const started = startProgram(found, ['serve', config, '--socket-addr', `http=127.0.0.1:${port}`]);
        ask(`http://127.0.0.1:${port}/?base=${encodeURIComponent(base)}`, started.ended);
        return started;
      },
    };
  },
});
