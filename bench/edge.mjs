// What the example for edge runtimes takes: sizes of its modules, and memory and processor time of workerd while it draws.
// Linux only. `npm --prefix examples/edge ci`, then `node --experimental-websocket bench/edge.mjs` (Node 22 needs no flag);
// docs/edge.md holds what it printed.
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const example = fileURLToPath(new URL('../examples/edge/', import.meta.url));
const megabytes = (bytes) => (bytes / 1e6).toFixed(2);
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);
const head = (...cells) => {
  console.log();
  row(...cells);
  row(...cells.map(() => '---'));
};

execFileSync('npm', ['run', '--silent', 'build'], { cwd: example, stdio: 'inherit' });
head('module', 'MB', 'MB gzipped');
const sums = [0, 0];
for (const name of readdirSync(`${example}dist`).filter((file) => !file.endsWith('.capnp'))) {
  const bytes = readFileSync(`${example}dist/${name}`);
  const sizes = [bytes.length, gzipSync(bytes).length];
  for (const i of [0, 1]) sums[i] += sizes[i];
  row(name, ...sizes.map(megabytes));
}
row('in all', ...sums.map(megabytes));

head('images at a time', 'MB of WebAssembly memory', 'with `winograd: false`');
const batches = ['1', '4', '16'];
const script = fileURLToPath(new URL('./wasm-memory.mjs', import.meta.url));
const grown = ['true', 'false'].map((winograd) =>
  JSON.parse(execFileSync(process.execPath, [script, winograd, ...batches], { encoding: 'utf8' })),
);
for (const [i, batch] of batches.entries()) row(batch, ...grown.map((bytes) => megabytes(bytes[i])));

const workerd = createRequire(`${example}package.json`)('workerd').default;
const free = '127.0.0.1:0';
const args = ['serve', `--socket-addr=http=${free}`, `--inspector-addr=${free}`, '--control-fd=3', 'workerd.capnp'];
const child = spawn(workerd, args, { cwd: example, stdio: ['ignore', 'inherit', 'ignore', 'pipe'] });
const ports = {};
for await (const line of createInterface(child.stdio[3])) {
  const { event, port } = JSON.parse(line);
  ports[event] = port;
  if (ports.listen && ports['listen-inspector']) break;
}

const [{ webSocketDebuggerUrl }] = await (await fetch(`http://127.0.0.1:${ports['listen-inspector']}/json`)).json();
const inspector = new WebSocket(webSocketDebuggerUrl);
const message = (type) => new Promise((resolve) => inspector.addEventListener(type, resolve, { once: true }));
await message('open');
/** JavaScript's heap and its buffers, bytes. */
const heap = async () => {
  inspector.send('{"id":1,"method":"Runtime.getHeapUsage"}');
  const { usedSize, embedderHeapUsedSize, backingStorageSize } = JSON.parse((await message('message')).data).result;
  return usedSize + embedderHeapUsedSize + backingStorageSize;
};
/** Seconds of processor time, all threads. */
const cpu = () => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
/** Peak of resident memory, bytes. */
const peak = () => 1024 * /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1];

head('request', 's of CPU', 'ms of CPU per step', 'MB of JavaScript heap and buffers', 'MB of the process, peak');
const get = async (name, path, steps) => {
  const before = cpu();
  await (await fetch(`http://127.0.0.1:${ports.listen}${path}`)).arrayBuffer();
  const seconds = cpu() - before;
  row(
    name,
    seconds.toFixed(2),
    steps ? ((1000 * seconds) / steps).toFixed(0) : '',
    megabytes(await heap()),
    megabytes(peak()),
  );
};
await get('none yet: 404', '/');
await get('the first: loading, 20 steps', '/image?steps=20');
for (const steps of [1, 20, 20, 50, 50]) await get(`${steps} steps`, `/image?steps=${steps}`, steps);
child.kill('SIGKILL');
process.exit();
