// One cache for Python's huggingface_hub and for this library: what either downloads, the other finds. Run by
// `npm run interop`, with the Pythons that have huggingface_hub in HUB_PYTHONS, separated by colons.
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { HubOptions } from 'ddim-wasm';
import type { Folder } from '../../src/hub/folder.ts';
import { type Hub, sha256, startHub } from '../hub/server.ts';
import { internal } from '../internal.ts';
import { withDirectory } from '../support.ts';

const { openFolder } = await internal<{ openFolder(model: string, options?: HubOptions): Promise<Folder> }>('hub/open');
const pythons = (process.env.HUB_PYTHONS ?? '').split(':').filter(Boolean);
if (pythons.length === 0) throw new Error('HUB_PYTHONS: expected Pythons with huggingface_hub, got none');

const ID = 'owner/model';
const FILES = {
  'model_index.json': new TextEncoder().encode('{"_class_name": "DDIMPipeline"}'),
  'unet/config.json': new TextEncoder().encode('{}'),
  'unet/diffusion_pytorch_model.safetensors': Uint8Array.from({ length: 50_000 }, (_, i) => i % 251),
};
const NAMES = Object.keys(FILES);
const DIGESTS = Object.fromEntries(Object.entries(FILES).map(([name, bytes]) => [name, sha256(bytes)]));

let hub: Hub;
beforeAll(async () => {
  const large = ['unet/diffusion_pytorch_model.safetensors'];
  hub = await startHub({ [ID]: { commit: 'c0ffee'.padEnd(40, '0'), files: FILES, large } });
});
afterAll(() => hub.close());

const script = fileURLToPath(new URL('hub_cache.py', import.meta.url));
async function python(executable: string, command: string, cache: string) {
  const env = { ...process.env, HF_ENDPOINT: hub.endpoint };
  const { stdout } = await promisify(execFile)(executable, [script, command, cache, ID, ...NAMES], { env });
  return JSON.parse(stdout) as { version: string; digests: Record<string, string> };
}

async function ours(cache: string, options: HubOptions = {}): Promise<Record<string, string>> {
  const folder = await openFolder(ID, { endpoint: hub.endpoint, cacheDir: cache, token: false, ...options });
  const digests: Record<string, string> = {};
  for (const name of NAMES) digests[name] = sha256((await folder.find(name)) as Uint8Array);
  return digests;
}

/** Every file with its bytes and every link with its target, without locks and what Python notes for itself. */
async function listing(cache: string): Promise<Record<string, string>> {
  const root = join(cache, 'models--owner--model');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const list: Record<string, string> = {};
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(root.length + 1);
    if (entry.isSymbolicLink()) list[name] = `-> ${await readlink(path)}`;
    else if (entry.isFile()) list[name] = sha256(await readFile(path));
  }
  return list;
}

describe.each(pythons)('%s', (executable) => {
  test('what Python downloaded is read here, and the other way round; both write the same', () =>
    withDirectory((theirs) =>
      withDirectory(async (mine) => {
        const { version, digests } = await python(executable, 'download', theirs);
        process.stderr.write(`huggingface_hub ${version}\n`);
        expect(digests).toEqual(DIGESTS);
        hub.requests.length = 0;
        expect(await ours(theirs, { localFilesOnly: true })).toEqual(DIGESTS);
        expect(hub.requests).toEqual([]);

        expect(await ours(mine)).toEqual(DIGESTS);
        hub.requests.length = 0;
        expect((await python(executable, 'read', mine)).digests).toEqual(DIGESTS);
        // Newer releases say hello to the Hub; of the repository they ask nothing.
        expect(hub.requests.filter(({ what }) => what !== '')).toEqual([]);
        expect(await listing(mine)).toEqual(await listing(theirs));

        // With a connection, neither fetches again what the other has.
        await ours(theirs);
        await python(executable, 'download', mine);
        const fetched = hub.requests.filter(({ what }) => what.startsWith('cdn'));
        expect(fetched).toEqual([]);
      }),
    ));
});
