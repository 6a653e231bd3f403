// The node half of live_noise.py. A line asks for the draws of one generator, {"seed": "-1", "calls": [["randn", 5], ...]};
// the answer is a line with their bytes, one after the other, in base64.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { Generator } = await import(pathToFileURL(process.argv[2]).href);

for await (const line of createInterface({ input: process.stdin })) {
  const { seed, calls } = JSON.parse(line);
  const generator = new Generator(BigInt(seed));
  const draws = calls.map(([kind, n]) => Buffer.from(generator[kind]([n]).data.buffer));
  process.stdout.write(`${Buffer.concat(draws).toString('base64')}\n`);
}
