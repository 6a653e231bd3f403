// What may happen at once does, and no earlier: each in a process of its own, where nothing is loaded yet.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fixture } from '../support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a module prints. */
async function run(code: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    timeout: 60_000,
  });
  return stdout.trim();
}

/** Tells when WebAssembly of more than 1 MB, which is onnxruntime's, is compiled. */
const WATCH = `
  let compiling;
  const compiles = new Promise((resolve) => { compiling = resolve; });
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = (bytes, ...rest) => {
    if (bytes.byteLength > 1e6) compiling();
    return instantiate.call(WebAssembly, bytes, ...rest);
  };
`;

test('onnxruntime compiles while the weights are fetched', async () => {
  // The weights come only once the compilation has begun: in turns, this would never end.
  const printed = await run(`${WATCH}
    import { readFile } from 'node:fs/promises';
    import { UNet2DModel } from 'ddim-wasm';
    const files = async (url) => {
      const name = new URL(url).pathname.slice(1);
      if (name.endsWith('.safetensors')) await compiles;
      const bytes = await readFile(${JSON.stringify(`${fixture('checkpoints/safetensors')}/`)} + name).catch(() => null);
      return new Response(bytes, { status: bytes ? 200 : 404 });
    };
    const alive = setInterval(() => {}, 1000);
    const unet = await UNet2DModel.fromPretrained('https://example.com', { fetch: files });
    clearInterval(alive);
    console.log(unet.numParameters);
  `);
  expect(printed).toBe('2947');
});

test('nothing is compiled before a model is loaded, nor for noise and steps', async () => {
  const printed = await run(`${WATCH}
    import { DDIMPipeline, Generator, UNet2DModel } from 'ddim-wasm';
    import { DDIMScheduler } from 'ddim-wasm/scheduler';
    const scheduler = new DDIMScheduler();
    scheduler.setTimesteps(2);
    const noise = new Generator(0).randn([1, 1, 4, 4]);
    scheduler.step(noise, scheduler.timesteps[0], noise);
    const turn = new Promise((resolve) => setTimeout(resolve, 100, 'none'));
    console.log(await Promise.race([compiles.then(() => 'compiled'), turn]), typeof DDIMPipeline, typeof UNet2DModel);
  `);
  expect(printed).toBe('none function function');
});
