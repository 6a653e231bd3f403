// What the example for edge runtimes takes: sizes of its modules, and memory and processor time of workerd while it draws.
// Linux only (/proc). `npm --prefix examples/edge ci`, then `node bench/edge.mjs`; docs/edge.md holds what it printed.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const example = fileURLToPath(new URL('../examples/edge/', import.meta.url));
const require = createRequire(`${example}package.json`);
const MB = 1e6;
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);
const megabytes = (bytes) => (bytes / MB).toFixed(2);

execFileSync('npm', ['run', '--silent', 'build'], { cwd: example, stdio: 'inherit' });
row('module', 'MB', 'MB gzipped');
const sums = [0, 0];
for (const name of readdirSync(`${example}dist`)) {
  const bytes = readFileSync(`${example}dist/${name}`);
  const sizes = [bytes.length, gzipSync(bytes).length];
  for (const i of [0, 1]) sums[i] += sizes[i];
  row(name, ...sizes.map(megabytes));
}
row('in all', ...sums.map(megabytes));

const args = ['serve', '--socket-addr=http=127.0.0.1:0', '--control-fd=3', `${example}workerd.capnp`];
const child = spawn(require('workerd').default, args, { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
const { port } = JSON.parse(String((await once(child.stdio[3], 'data'))[0]));

/** Seconds of processor time, all threads. */
const cpu = () => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
/** Resident memory, bytes: now and at its peak. */
const memory = () => {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return ['VmRSS', 'VmHWM'].map((name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) * 1024);
};

console.log();
row('request', 's of CPU', 'ms of CPU per step', 'MB resident', 'MB at the peak');
const report = (name, seconds, steps) =>
  row(name, seconds.toFixed(2), steps ? ((1000 * seconds) / steps).toFixed(1) : '', ...memory().map(megabytes));
report('started', cpu());
const get = async (name, path, steps) => {
  const before = cpu();
  await (await fetch(`http://127.0.0.1:${port}${path}`)).arrayBuffer();
  report(name, cpu() - before, steps);
};
await get('404', '/');
await get('the first picture, 1 step', '/image?steps=1');
for (const steps of [1, 5, 10, 20, 50, 50]) await get(`${steps} steps`, `/image?steps=${steps}`, steps);
child.kill();
