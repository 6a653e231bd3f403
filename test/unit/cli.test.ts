// The command line, run as a person would run it, in a process of its own.
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DDIMPipeline, Generator, makeImageGrid } from 'ddim-wasm';
import { fixture, sha256, withDirectory } from '../support.ts';

const main = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url));

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(cwd: string, ...args: string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { cwd });
    const result: Result = { code: null, stdout: '', stderr: '' };
    child.stdout.on('data', (text) => {
      result.stdout += text;
    });
    child.stderr.on('data', (text) => {
      result.stderr += text;
    });
    child.on('error', reject).on('close', (code) => resolve({ ...result, code }));
  });
}

/** What the library itself draws. */
async function draw(generator: Generator | Generator[], batchSize: number, eta = 0) {
  const pipe = await DDIMPipeline.fromPretrained(fixture('pipelines/gray'));
  pipe.setProgressBarConfig({ disable: true });
  const { images } = await pipe.generate({ generator, batchSize, eta, numInferenceSteps: 3 });
  await pipe.dispose();
  return images;
}

const quiet = { code: 0, stdout: '', stderr: '' };
const model = ['--model', fixture('pipelines/gray'), '--steps', '3'];

test('generate --seed writes the picture that the library draws, and is quiet in a pipe', () =>
  withDirectory(async (directory) => {
    expect(await run(directory, 'generate', ...model, '--seed', '7', '--out', 'deep/seven.png')).toEqual(quiet);
    const [image] = await draw(new Generator(7), 1);
    expect(sha256(await readFile(`${directory}/deep/seven.png`))).toBe(sha256(image?.toPNG() as Uint8Array));
  }));

test('generate --seed --batch draws one batch from one generator', () =>
  withDirectory(async (directory) => {
    const args = ['--seed=-3', '--batch', '2', '--eta', '0.5', '--out', 'out'];
    expect(await run(directory, 'generate', ...model, ...args)).toEqual(quiet);
    expect((await readdir(`${directory}/out`)).sort()).toEqual(['seed--3-0.png', 'seed--3-1.png']);
    const images = await draw(new Generator(-3), 2, 0.5);
    for (const [i, image] of images.entries()) {
      expect(sha256(await readFile(`${directory}/out/seed--3-${i}.png`))).toBe(sha256(image.toPNG()));
    }
  }));

test('generate --seeds --grid --scale: one picture for each seed, in one file, whatever the batch and the workers', () =>
  withDirectory(async (directory) => {
    const args = ['--seeds', '0-4', '--grid', '--scale', '2'];
    expect(await run(directory, 'generate', ...model, ...args)).toEqual(quiet);
    expect(await run(directory, 'generate', ...model, ...args, '--batch', '2', '--out', 'two.png')).toEqual(quiet);
    expect(await run(directory, 'generate', ...model, ...args, '--workers', '2', '--out', 'many.png')).toEqual(quiet);
    const images = await draw(
      [0, 1, 2, 3, 4].map((seed) => new Generator(seed)),
      5,
    );
    const expected = sha256(makeImageGrid(images, 2, 3).enlarge(2).toPNG());
    expect(sha256(await readFile(`${directory}/grid.png`))).toBe(expected);
    expect(sha256(await readFile(`${directory}/two.png`))).toBe(expected);
    expect(sha256(await readFile(`${directory}/many.png`))).toBe(expected);
  }));

test('generate without a seed names the file by the seed it took, which draws the same again', () =>
  withDirectory(async (directory) => {
    expect(await run(directory, 'generate', ...model)).toEqual(quiet);
    const [file] = await readdir(directory);
    const [, seed] = /^seed-(\d+)\.png$/.exec(file as string) as unknown as [string, string];
    const [image] = await draw(new Generator(BigInt(seed)), 1);
    expect(sha256(await readFile(`${directory}/${file}`))).toBe(sha256(image?.toPNG() as Uint8Array));
  }));

test('--out without .png is a directory, for one image too', () =>
  withDirectory(async (directory) => {
    expect(await run(directory, 'generate', ...model, '--seed', '1', '--out', 'pics')).toEqual(quiet);
    expect(await readdir(`${directory}/pics`)).toEqual(['seed-1.png']);
  }));

test('info describes the embedded model and others', async () => {
  const embedded = await run('.', 'info');
  expect(embedded).toMatchObject({ code: 0, stderr: '' });
  expect(embedded.stdout).toMatch(/2\.73 M parameters/);
  expect(embedded.stdout).toMatch(/32 x 32 pixels, 1 channel\n/);
  const gray = await run('.', 'info', fixture('pipelines/gray'));
  expect(gray.stdout).toMatch(/8 x 12 pixels, 1 channel\n/);
});

test('help, and no command at all, print the usage', async () => {
  for (const args of [['help'], ['--help'], [], ['generate', '--help']]) {
    const { code, stdout } = await run('.', ...args);
    expect({ args, code }).toEqual({ args, code: 0 });
    expect(stdout).toMatch(/--seeds A-B/);
  }
});

test.each([
  [['generate', '--steps', '0'], /--steps: expected an integer in 1\.\.1000000, got 0/],
  [['generate', '--steps', '1001'], /numInferenceSteps: expected an integer in 1\.\.1000, got 1001/],
  [['generate', '--eta', '2'], /eta: expected a number in \[0, 1\], got 2/],
  [['generate', '--eta', 'x'], /--eta: expected a number, got 'x'/],
  [['generate', '--seed', '1.5'], /--seed: expected an integer, got '1\.5'/],
  [['generate', '--seed', '99999999999999999999'], /seed: expected an integer in -2\^63\.\.2\^64-1/],
  [['generate', '--seeds', '5-1'], /--seeds: expected a rising range/],
  [['generate', '--seeds', '1'], /--seeds: expected a range such as 0-15, got '1'/],
  [['generate', '--seed', '1', '--seeds', '1-2'], /expected only one of --seed and --seeds/],
  [['generate', '--device', 'gpu'], /device: expected 'wasm'.*got "gpu"/],
  [['generate', '--workers', 'x'], /--workers: expected a number, got 'x'/],
  [['generate', '--workers', '65'], /workers: expected an integer in 0\.\.64, got 65/],
  [['generate', '--workers', '2', '--device', 'cpu'], /workers: expected 0 on the device 'cpu'.*, got 2/],
  [['generate', '--model', '/no/such/model'], /\/no\/such\/model\/model_index\.json: no such file/],
  [
    ['generate', '--grid', '--out', 'picture.jpg'],
    /--out: expected a file name that ends in \.png for --grid, got 'picture\.jpg'/,
  ],
  [['generate', '--seeds', '0-1', '--out', 'two.png'], /--out: expected a directory for 2 images/],
  [['generate', '--seed', '-1'], /--seed=-/],
  [['generate', '--colour'], /--colour/],
  [['assets'], /DIR: expected one, got none/],
  [['assets', 'a', 'b'], /DIR: expected one, got a b/],
  [['info', 'a', 'b'], /MODEL: expected at most one/],
  [['paint'], /command: expected generate, info, convert, assets or help, got 'paint'/],
])('%j: one line and exit code 1', async (args, message) => {
  await withDirectory(async (directory) => {
    const { code, stdout, stderr } = await run(directory, ...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^ddim-wasm: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(await readdir(directory)).toEqual([]);
  });
});
