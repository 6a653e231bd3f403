// The Hub's client against a local server that speaks its protocol.
import { mkdir, readdir, readFile, readlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  DDIMPipeline,
  DDIMScheduler,
  type DownloadProgress,
  type HubOptions,
  type ModelFiles,
  UNet2DModel,
} from 'ddim-wasm';
import type { Folder } from '../../src/hub/folder.ts';
import { internal } from '../internal.ts';
import { failure, fixture, withDirectory } from '../support.ts';
import { gitHash, type Hub, type Repository, sha256, startHub } from './server.ts';

const { openFolder } = await internal<{
  openFolder(model: string | ModelFiles, options?: HubOptions): Promise<Folder>;
}>('hub/open');

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const ID = 'owner/model';
const text = (value: string) => new TextEncoder().encode(value);
const WEIGHTS = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 24);
const BIG = 'unet/diffusion_pytorch_model.safetensors';
const CONFIG = text('{"_class_name": "DDIMScheduler", "num_train_timesteps": 10}');

const repository = (): Repository => ({
  commit: COMMIT,
  files: {
    'model_index.json': text('{"_class_name": "DDIMPipeline"}'),
    'scheduler/scheduler_config.json': CONFIG,
    [BIG]: WEIGHTS,
    'README.md': text('# never asked for'),
    'a name with spaces & ümlauts?.txt': text('odd'),
    empty: text(''),
  },
  large: [BIG],
});

let hub: Hub;
beforeEach(async () => {
  hub = await startHub({ [ID]: repository(), 'owner/private': { ...repository(), token: 'hf_secret' } });
});
afterEach(() => hub.close());

/** A fresh cache and a function that opens the repository with it. */
const withCache = (
  body: (open: (options?: HubOptions, id?: string) => Promise<Folder>, cache: string) => Promise<void>,
) =>
  withDirectory((cache) =>
    body(
      (options = {}, id = ID) => openFolder(id, { endpoint: hub.endpoint, cacheDir: cache, token: false, ...options }),
      cache,
    ),
  );

const concat = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));
const same = (actual: Uint8Array | undefined, expected: Uint8Array) => {
  expect(actual && sha256(actual)).toBe(sha256(expected));
};
const asked = (what: string) => hub.requests.filter((request) => request.what === what);
/** Files of a folder that are not links, below it. */
const listed = async (folder: string) => (await readdir(folder, { recursive: true })).sort();

describe('files', () => {
  test('only what is asked for is fetched, once, and lies as in the cache of huggingface_hub', () =>
    withCache(async (open, cache) => {
      const folder = await open();
      expect(await folder.has(BIG)).toBe(true);
      expect(await folder.has('unet/none')).toBe(false);
      expect(await folder.find('unet/none')).toBeUndefined();
      same(await folder.find(BIG), WEIGHTS);
      same(await folder.find(BIG), WEIGHTS);
      same(await folder.find('scheduler/scheduler_config.json'), CONFIG);
      expect(hub.requests.map(({ what }) => what)).toEqual([
        'list',
        BIG,
        `cdn ${BIG}`,
        'scheduler/scheduler_config.json',
      ]);

      const root = join(cache, 'models--owner--model');
      expect(await readFile(join(root, 'refs/main'), 'utf8')).toBe(COMMIT);
      expect((await readdir(join(root, 'blobs'))).sort()).toEqual([sha256(WEIGHTS), gitHash(CONFIG)].sort());
      const link = join(root, 'snapshots', COMMIT, BIG);
      expect(await readlink(link)).toBe(`../../../blobs/${sha256(WEIGHTS)}`);
      expect(await folder.locate(BIG)).toBe(link);
      same(await readFile(link), WEIGHTS);
    }));

  test('a second opening asks for the list alone', () =>
    withCache(async (open) => {
      await (await open()).find(BIG);
      hub.requests.length = 0;
      same(await (await open()).find(BIG), WEIGHTS);
      expect(hub.requests.map(({ what }) => what)).toEqual(['list']);
    }));

  test('names with spaces and other characters, empty files, branches with slashes, commits', () =>
    withCache(async (open, cache) => {
      for (const revision of ['refs/pr/1', 'v1.0', COMMIT]) {
        const folder = await open({ revision });
        same(await folder.find('a name with spaces & ümlauts?.txt'), text('odd'));
        same(await folder.find('empty'), text(''));
      }
      const root = join(cache, 'models--owner--model');
      expect(await listed(join(root, 'refs'))).toEqual(['refs', 'refs/pr', 'refs/pr/1', 'v1.0']);
    }));

  test('what another commit has the same is not fetched again', () =>
    withCache(async (open) => {
      await (await open()).find(BIG);
      const next = 'f'.repeat(40);
      hub.repositories.set(ID, { ...repository(), commit: next });
      hub.requests.length = 0;
      same(await (await open()).find(BIG), WEIGHTS);
      expect(hub.requests.map(({ what }) => what)).toEqual(['list']);
    }));

  test('forceDownload fetches anew', () =>
    withCache(async (open) => {
      await (await open()).find(BIG);
      hub.requests.length = 0;
      same(await (await open({ forceDownload: true })).find(BIG), WEIGHTS);
      expect(asked(`cdn ${BIG}`).length).toBe(1);
    }));

  test('progress: each file, and one total that is right from the start', () =>
    withCache(async (open) => {
      const seen: DownloadProgress[] = [];
      const folder = await open({ onProgress: (progress) => seen.push(progress) });
      await folder.expect([BIG, 'scheduler/scheduler_config.json', 'unet/none']);
      const total = WEIGHTS.length + CONFIG.length;
      expect(new Set(seen.map(({ totalInAll }) => totalInAll))).toEqual(new Set([total]));
      expect(seen.at(-1)?.loadedInAll).toBe(total);
      const last = seen.filter(({ file }) => file === BIG).at(-1);
      expect(last).toMatchObject({ loaded: WEIGHTS.length, total: WEIGHTS.length });
      expect(
        seen.every(({ loadedInAll }, i) => i === 0 || loadedInAll >= (seen[i - 1] as DownloadProgress).loadedInAll),
      ).toBe(true);
    }));

  test("a repository's page is taken for the repository", () =>
    withCache(async (open) => {
      for (const page of ['', '/', '/tree/v1.0', '/tree/main?x=1']) {
        const folder = await open({}, `${hub.endpoint}/${ID}${page}`);
        expect(folder.name).toBe(ID);
        same(await folder.find(BIG), WEIGHTS);
      }
    }));

  test('the public functions take an id', () =>
    withDirectory(async (cacheDir) => {
      const options = { endpoint: `${hub.endpoint}/`, cacheDir, subfolder: 'scheduler' };
      expect((await DDIMScheduler.fromPretrained(ID, options)).length).toBe(10);
    }));
});

describe('broken connections', () => {
  const CUTS = [-1, 0, 1, 1000, 150_000, WEIGHTS.length - 1];

  test.each(CUTS)('cut after %i bytes: gone on from there', (cut) =>
    withCache(async (open) => {
      hub.faults.push({ on: `cdn ${BIG}`, cut });
      same(await (await open()).find(BIG), WEIGHTS);
      const ranges = asked(`cdn ${BIG}`).map(({ range }) => range);
      expect(ranges.length).toBe(2);
      // What came through the socket before the cut is kept; a client may see less than was sent, never more.
      const [, from] = /^bytes=(\d+)-$/.exec(ranges[1] ?? 'bytes=0-') as unknown as [string, string];
      expect(Number(from)).toBeLessThanOrEqual(Math.max(cut, 0));
      if (cut >= 1000) expect(Number(from)).toBeGreaterThan(0);
    }),
  );

  test('cut again and again: every try that brings something counts as a new beginning', () =>
    withCache(async (open) => {
      for (let i = 0; i < 8; i++) hub.faults.push({ on: `cdn ${BIG}`, cut: 30_000 });
      same(await (await open()).find(BIG), WEIGHTS);
    }));

  test.each(CUTS)('cut after %i bytes and never mended: nothing of it is used, and the next process goes on', (cut) =>
    withCache(async (open, cache) => {
      hub.faults.push({ on: `cdn ${BIG}`, cut }, { on: BIG, status: 500, after: 1 });
      for (let i = 0; i < 5; i++) hub.faults.push({ on: BIG, status: 500 });
      const error = await failure(async () => (await open()).find(BIG));
      expect(error.message).toMatch(
        /unet\/diffusion_pytorch_model.safetensors of owner\/model: could not be fetched from .* \(the server answered 500\); check the connection and try again/,
      );
      const root = join(cache, 'models--owner--model');
      expect((await readdir(join(root, 'blobs'))).filter((name) => !name.endsWith('.part'))).toEqual([]);
      expect(await (await open({ localFilesOnly: true })).find(BIG)).toBeUndefined();
      hub.faults.length = 0;
      hub.requests.length = 0;
      same(await (await open()).find(BIG), WEIGHTS);
      if (cut >= 1000) expect(asked(`cdn ${BIG}`)[0]?.range).toMatch(/^bytes=[1-9]/);
      expect((await readdir(join(root, 'blobs'))).length).toBe(1);
    }),
  );

  test('a server that knows no ranges begins anew', () =>
    withCache(async (open) => {
      hub.faults.push({ on: `cdn ${BIG}`, cut: 1000 }, { on: `cdn ${BIG}`, ignoreRange: true });
      same(await (await open()).find(BIG), WEIGHTS);
    }));

  test('a link of the CDN that expired is asked for again', () =>
    withCache(async (open) => {
      hub.faults.push({ on: `cdn ${BIG}`, status: 403 });
      same(await (await open()).find(BIG), WEIGHTS);
      expect(asked(BIG).length).toBe(2);
    }));

  test.each([429, 500, 502, 503])('%i is tried again, after as long as the server asks for', (status) =>
    withCache(async (open) => {
      hub.faults.push({ on: 'list', status, headers: { 'retry-after': '1' } }, { on: BIG, status });
      const start = Date.now();
      same(await (await open()).find(BIG), WEIGHTS);
      expect(Date.now() - start).toBeGreaterThan(990);
    }),
  );

  test('Retry-After as a date', () =>
    withCache(async (open) => {
      hub.faults.push({
        on: 'list',
        status: 429,
        headers: { 'retry-after': new Date(Date.now() + 1500).toUTCString() },
      });
      await open();
      expect(asked('list').length).toBe(2);
    }));

  test('a file that stays longer or shorter than listed is an error', () =>
    withCache(async (open) => {
      for (const body of [WEIGHTS.subarray(1), concat(WEIGHTS, Uint8Array.of(0))]) {
        hub.faults.length = 0;
        for (let i = 0; i < 20; i++) hub.faults.push({ on: `cdn ${BIG}`, body });
        const error = await failure(async () => (await open()).find(BIG));
        expect(error.message).toMatch(
          /could not be fetched .*(ended at 299999 of 300000|more bytes than the 300000|another range)/,
        );
      }
    }));

  test('other bytes than listed: fetched once more', () =>
    withCache(async (open) => {
      hub.faults.push({ on: `cdn ${BIG}`, body: WEIGHTS.map((byte) => byte ^ 1) });
      same(await (await open()).find(BIG), WEIGHTS);
      expect(asked(`cdn ${BIG}`).length).toBe(2);
    }));

  test('other bytes than listed, twice: an error, and nothing is kept', () =>
    withCache(async (open, cache) => {
      for (let i = 0; i < 2; i++) hub.faults.push({ on: `cdn ${BIG}`, body: WEIGHTS.map((byte) => byte ^ 1) });
      const error = await failure(async () => (await open()).find(BIG));
      expect(error.message).toMatch(/the bytes are not those that the Hub lists \(another hash\); try again/);
      expect(await readdir(join(cache, 'models--owner--model/blobs'))).toEqual([]);
    }));

  test('a broken part of an earlier process is found out by its hash', () =>
    withCache(async (open, cache) => {
      const blobs = join(cache, 'models--owner--model/blobs');
      await mkdir(blobs, { recursive: true });
      await writeFile(join(blobs, `${sha256(WEIGHTS)}.part`), new Uint8Array(5000).fill(9));
      same(await (await open()).find(BIG), WEIGHTS);
      expect(asked(`cdn ${BIG}`).map(({ range }) => range)).toEqual(['bytes=5000-', undefined]);
    }));

  test('parts that are longer than the file, and parts of a process that died', () =>
    withCache(async (open, cache) => {
      const blobs = join(cache, 'models--owner--model/blobs');
      await mkdir(blobs, { recursive: true });
      // Process ids end at 4,194,304 on Linux.
      const left = join(blobs, `${sha256(WEIGHTS)}.99999999.1.part`);
      await writeFile(left, WEIGHTS);
      await truncate(left, 1234);
      same(await (await open()).find(BIG), WEIGHTS);
      expect(asked(`cdn ${BIG}`)[0]?.range).toBe('bytes=1234-');
      expect(await readdir(blobs)).toEqual([sha256(WEIGHTS)]);
    }));

  test('ten at once, of one process and of several openings', () =>
    withCache(async (open, cache) => {
      const folders = await Promise.all(Array.from({ length: 10 }, () => open()));
      for (const bytes of await Promise.all(folders.map((folder) => folder.find(BIG)))) same(bytes, WEIGHTS);
      expect(await readdir(join(cache, 'models--owner--model/blobs'))).toEqual([sha256(WEIGHTS)]);
    }));

  test('an abort stops at once and leaves what the next download goes on from', () =>
    withCache(async (open, cache) => {
      const controller = new AbortController();
      const folder = await open({
        signal: controller.signal,
        onProgress: ({ loaded }) => loaded > 0 && controller.abort(new Error('enough')),
      });
      expect((await failure(() => folder.find(BIG))).message).toBe('enough');
      const [part] = await readdir(join(cache, 'models--owner--model/blobs'));
      expect(part).toBe(`${sha256(WEIGHTS)}.part`);
      hub.requests.length = 0;
      same(await (await open()).find(BIG), WEIGHTS);
      if (asked(`cdn ${BIG}`).length > 0) {
        expect(asked(`cdn ${BIG}`)[0]?.range).toMatch(/^bytes=[1-9]/);
      }
    }));

  test('an abort while the server is silent, or makes us wait', () =>
    withCache(async (open) => {
      for (const fault of [
        { on: 'list', hang: true },
        { on: 'list', status: 429, headers: { 'retry-after': '50' } },
      ]) {
        hub.faults.push(fault);
        const controller = new AbortController();
        setTimeout(() => controller.abort(new Error('enough')), 50);
        const start = Date.now();
        expect((await failure(() => open({ signal: controller.signal }))).message).toBe('enough');
        expect(Date.now() - start).toBeLessThan(2000);
      }
    }));

  test('a silent server is given up after HF_HUB_DOWNLOAD_TIMEOUT', () =>
    withCache(async (open) => {
      process.env.HF_HUB_DOWNLOAD_TIMEOUT = '0.1';
      try {
        for (let i = 0; i < 5; i++) hub.faults.push({ on: 'list', hang: true });
        const error = await failure(() => open());
        expect(error.message).toMatch(/could not be fetched from .* \(no answer for 0.1 s\); check the connection/);
      } finally {
        delete process.env.HF_HUB_DOWNLOAD_TIMEOUT;
      }
    }));
});

describe('a URL that is not the Hub', () => {
  const CHUNK = 100_000;
  /** Serves three chunks, each after a pause in milliseconds; without a pause for it, it never comes. */
  const withServer = async (pauses: readonly number[], body: (url: string) => Promise<void>) => {
    const server = createServer(async (_, response) => {
      for (const [i, milliseconds] of pauses.entries()) {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        if (i === 0) response.writeHead(200, { 'content-length': 3 * CHUNK });
        response.write(WEIGHTS.subarray(i * CHUNK, (i + 1) * CHUNK));
      }
      if (pauses.length === 3) response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    process.env.HF_HUB_DOWNLOAD_TIMEOUT = '0.4';
    try {
      await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}/model`);
    } finally {
      delete process.env.HF_HUB_DOWNLOAD_TIMEOUT;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };

  test.each([0, 1, 2])(
    'a server that is silent after %i of 3 parts is given up after HF_HUB_DOWNLOAD_TIMEOUT',
    (parts) =>
      withServer(new Array(parts).fill(0), async (url) => {
        const start = Date.now();
        const { message } = await failure(async () => (await openFolder(url)).find('x'));
        expect(message).toBe(
          `${url}/x: could not be fetched (no answer for 0.4 s); check the address and the connection`,
        );
        expect(Date.now() - start).toBeGreaterThan(380);
      }),
  );

  test('a slow one is not, however long it takes in all', () =>
    withServer([200, 200, 200], async (url) => {
      same(await (await openFolder(url)).find('x'), WEIGHTS);
    }));

  test('what comes while the thread is busy for longer counts', () =>
    withServer([150, 0, 0], async (url) => {
      const file = (await openFolder(url)).find('x');
      await new Promise((resolve) => setTimeout(resolve, 100));
      const end = Date.now() + 600;
      while (Date.now() < end);
      same(await file, WEIGHTS);
    }));

  test('parts are asked for four at a time: where one waits for a connection, the wait would count', async () => {
    let [open, most, asked] = [0, 0, 0];
    const server = createServer(async (_, response) => {
      asked++;
      most = Math.max(most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 20));
      open--;
      response.end('x');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const folder = await openFolder(`http://127.0.0.1:${(server.address() as AddressInfo).port}/model`);
      await folder.expect(Array.from({ length: 12 }, (_, i) => `part-${i}`));
      expect({ asked, most }).toEqual({ asked: 12, most: 4 });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('a signal still stops it, with its own reason', () =>
    withServer([0], async (url) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error('enough')), 100);
      const { message } = await failure(async () => (await openFolder(url, { signal: controller.signal })).find('x'));
      expect(message).toBe('enough');
    }));
});

describe('JSON over its limit of 4 MiB is not read', () => {
  const SIZE = 5 * 2 ** 20;
  const LIMIT = /: .*\b\d{7,} bytes, over the limit of 4194304\b/;
  const PATH = 'unet/config.json';

  test('of the Hub: nothing of it is asked for', () =>
    withCache(async (open, cache) => {
      const { files, ...rest } = repository();
      hub.repositories.set(ID, { ...rest, files: { ...files, [PATH]: new Uint8Array(SIZE) } });
      const folder = await open();
      const { message } = await failure(() => folder.find(PATH));
      expect(message).toBe(`${PATH} of owner/model: ${SIZE} bytes, over the limit of 4194304`);
      expect(hub.requests.map(({ what }) => what)).toEqual(['list']);
      // What is no JSON may be as large as it likes.
      same(await folder.find(BIG), WEIGHTS);
      const place = join(cache, 'models--owner--model/snapshots', COMMIT, PATH);
      await writeFile(place, '');
      await truncate(place, 2 ** 40);
      const offline = await open({ localFilesOnly: true });
      expect((await failure(() => offline.find(PATH))).message).toMatch(LIMIT);
    }));

  test('of a directory: a terabyte is refused at once', () =>
    withDirectory(async (directory) => {
      const place = join(directory, 'config.json');
      await writeFile(place, '');
      await truncate(place, 2 ** 40);
      const { message } = await failure(async () => (await openFolder(directory)).find('config.json'));
      expect(message).toBe(`${place}: cannot be read (${2 ** 40} bytes, over the limit of 4194304)`);
    }));

  test('in memory: a Blob is left as it is', async () => {
    const blob = new Blob([new Uint8Array(SIZE)]);
    blob.slice = () => {
      throw new Error('it was read');
    };
    const folder = await openFolder({ [PATH]: blob });
    expect((await failure(() => folder.find(PATH))).message).toBe(`${PATH}: ${SIZE} bytes, over the limit of 4194304`);
  });

  test.each([true, false])('below a URL, whose server tells the size: %p', async (tells) => {
    let sent = 0;
    const server = createServer((_, response) => {
      if (tells) response.writeHead(200, { 'content-length': 2 ** 30 });
      response.on('close', () => server.close());
      const more = () => {
        for (let free = true; free && !response.destroyed; sent += 65536) free = response.write(new Uint8Array(65536));
      };
      response.on('drain', more);
      more();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const closed = new Promise((resolve) => server.on('close', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model`;
    const { message } = await failure(async () => (await openFolder(url)).has(PATH));
    expect(message).toMatch(LIMIT);
    expect(message).toMatch(/could not be fetched/);
    // The connection is given up, with what lay in its buffers.
    await closed;
    expect(sent).toBeLessThan(2 ** 25);
  });
});

test('a signal that aborts right after the call ends it at once', () =>
  withCache(async (open) => {
    const aborted = async (call: (signal: AbortSignal) => Promise<unknown>) => {
      const controller = new AbortController();
      const result = failure(() => call(controller.signal));
      controller.abort(new Error('enough'));
      return (await result).message;
    };
    expect(await aborted((signal) => open({ signal }))).toBe('enough');
    hub.faults.push({ on: 'list', hang: true });
    expect(await aborted((signal) => open({ signal }))).toBe('enough');
    hub.faults.length = 0;
    const controller = new AbortController();
    const folder = await open({ signal: controller.signal });
    const file = failure(() => folder.find(BIG));
    controller.abort(new Error('enough'));
    expect((await file).message).toBe('enough');
  }));

describe('refusals', () => {
  test('a private repository needs its token, which goes to the Hub and not to the CDN', () =>
    withCache(async (open) => {
      const error = await failure(() => open({}, 'owner/private'));
      expect(error.message).toMatch(
        /of owner\/private: no such repository \(401\); check the name at .*\/owner\/private, and, for a private one, pass a token or set HF_TOKEN/,
      );
      expect((await failure(() => open({ token: 'hf_other' }, 'owner/private'))).message).toMatch(
        /whether the token may read it/,
      );
      same(await (await open({ token: 'hf_secret' }, 'owner/private')).find(BIG), WEIGHTS);
      expect(asked(BIG).map(({ authorization }) => authorization)).toEqual(['Bearer hf_secret']);
      expect(asked(`cdn ${BIG}`).map(({ authorization }) => authorization)).toEqual([undefined]);
    }));

  test('a gated one says where to accept its conditions', () =>
    withCache(async (open) => {
      hub.repositories.set('owner/gated', { ...repository(), gated: true, token: 'hf_secret' });
      const error = await failure(async () => (await open({}, 'owner/gated')).find(BIG));
      expect(error.message).toMatch(
        /the repository is gated \(401\); accept its conditions at http.*\/owner\/gated, then pass its token or set HF_TOKEN/,
      );
    }));

  test('no such repository, revision or file', () =>
    withCache(async (open) => {
      expect((await failure(() => open({}, 'owner/none'))).message).toMatch(/owner\/none: no such repository \(401\)/);
      expect((await failure(() => open({ revision: 'v9' }))).message).toMatch(/there is no revision 'v9' \(404\)/);
      expect(asked('list').length).toBe(2);
    }));

  test.each([
    ['no commit', { siblings: [] }],
    ['a commit that is a path', { sha: '../../etc', siblings: [] }],
    ['no list', { sha: COMMIT }],
    [
      'a path that leads out',
      { sha: COMMIT, siblings: [{ rfilename: '../../evil', size: 1, blobId: 'a'.repeat(40) }] },
    ],
    ['an absolute path', { sha: COMMIT, siblings: [{ rfilename: '/etc/passwd', size: 1, blobId: 'a'.repeat(40) }] }],
    ['a Windows path', { sha: COMMIT, siblings: [{ rfilename: 'C:\\evil', size: 1, blobId: 'a'.repeat(40) }] }],
    ['a hash that is a path', { sha: COMMIT, siblings: [{ rfilename: 'a', size: 1, blobId: '../../../evil' }] }],
    ['a negative size', { sha: COMMIT, siblings: [{ rfilename: 'a', size: -1, blobId: 'a'.repeat(40) }] }],
    ['a size that is text', { sha: COMMIT, siblings: [{ rfilename: 'a', size: '1', blobId: 'a'.repeat(40) }] }],
    ['a list of 40 MB', { sha: COMMIT, siblings: [], more: 'x'.repeat(40 * 2 ** 20) }],
    ['something else', 'hello'],
  ])('a list that is hostile: %s', (_, list) =>
    withCache(async (open, cache) => {
      hub.faults.push({ on: 'list', list });
      const error = await failure(() => open());
      expect(error.message).toMatch(/^the list of files of owner\/model: |more than \d+ bytes/);
      expect(await readdir(cache)).toEqual([]);
    }),
  );

  const OUT = ['../x', 'a/../../x', '/etc/passwd', 'a//b', './a', '', 'a\\..\\b', '\\x', 'C:\\x', 'C:/x', 'http://x/y'];
  const ODD = ['a:b', 'unet/12:30.png', 'a\\b', 'a\nb', 'a\0b', 'C:x'];
  test.each([...OUT.map((path) => [path, /leads out/] as const), ...ODD.map((path) => [path, /mean/] as const)])(
    'a path that leads out of the folder, or that not every system takes for a name, is refused: %j',
    (path, why) =>
      withCache(async (open, cache) => {
        for (const folder of [await open(), await openFolder(cache), await openFolder(hub.endpoint)]) {
          const error = await failure(() => folder.find(path));
          expect(error.message).toMatch(/^refused the path "/);
          expect(error.message).toMatch(why);
        }
      }),
  );

  test.each(OUT)('a list with a path that leads out is refused as a whole: %j', (path) =>
    withCache(async (open, cache) => {
      const repository = hub.repositories.get(ID) as Repository;
      hub.repositories.set(ID, { ...repository, files: { ...repository.files, [path]: text('evil') } });
      expect((await failure(() => open())).message).toMatch(/^the list of files of owner\/model: .*refused the path/);
      expect(await readdir(cache)).toEqual([]);
    }),
  );

  test('a repository with names that not every system takes: only those files cannot be had', () =>
    withCache(async (open, cache) => {
      const repository = hub.repositories.get(ID) as Repository;
      const odd = Object.fromEntries(ODD.map((path) => [path, text('odd')]));
      hub.repositories.set(ID, { ...repository, files: { ...odd, ...repository.files } });
      const folder = await open();
      for (const path of ODD) {
        expect((await failure(() => folder.has(path))).message).toMatch(/^refused the path/);
        expect((await failure(() => folder.expect([path]))).message).toMatch(/^refused the path/);
      }
      same(await folder.find(BIG), WEIGHTS);
      expect(await readdir(join(cache, 'models--owner--model/blobs'))).toEqual([sha256(WEIGHTS)]);
      // A folder that was dropped on a page may hold such files as well.
      same(await (await openFolder({ ...odd, [BIG]: WEIGHTS })).find(BIG), WEIGHTS);
    }));

  test('revisions that lead out of the cache are refused', () =>
    withCache(async (open) => {
      expect((await failure(() => open({ revision: '../../x' }))).message).toMatch(/refused the path/);
    }));

  test.each(['a b', 'owner/model/more', 'owner/', '-x', 'x..y', 'a--b', 'x.git', '', 'ünknown'])(
    '%j is no repository',
    async (id) => {
      const error = await failure(() => openFolder(id, { endpoint: hub.endpoint }));
      expect(error).toBeInstanceOf(Error);
      expect(error.message).toMatch(/^model: expected a (directory|repository)/);
      expect(hub.requests).toEqual([]);
    },
  );

  test('a cache that cannot be written is named', () =>
    withDirectory(async (directory) => {
      await writeFile(join(directory, 'file'), '');
      const folder = failure(async () =>
        (await openFolder(ID, { endpoint: hub.endpoint, cacheDir: join(directory, 'file') })).find(BIG),
      );
      expect((await folder).message).toMatch(
        /file.*: the cache cannot be written \(.*\); check the permissions, or set HF_HOME or cacheDir/,
      );
    }));
});

describe('offline', () => {
  test('localFilesOnly and HF_HUB_OFFLINE use what is there, and ask nothing', () =>
    withCache(async (open) => {
      const missing = await failure(() => open({ localFilesOnly: true }));
      expect(missing.message).toMatch(
        /owner\/model: nothing of 'main' has been downloaded before, and no network is to be used/,
      );
      await (await open()).find(BIG);
      hub.requests.length = 0;
      const folder = await open({ localFilesOnly: true });
      same(await folder.find(BIG), WEIGHTS);
      expect(await folder.has('README.md')).toBe(false);
      process.env.HF_HUB_OFFLINE = 'yes';
      try {
        same(await (await open()).find(BIG), WEIGHTS);
        same(await (await open({ revision: COMMIT })).find(BIG), WEIGHTS);
      } finally {
        delete process.env.HF_HUB_OFFLINE;
      }
      expect(hub.requests).toEqual([]);
    }));

  test('without a connection, what was downloaded before serves, with a warning', () =>
    withCache(async (open) => {
      await (await open()).find(BIG);
      await hub.close();
      const warnings: string[] = [];
      const { warn } = console;
      console.warn = (message: string) => warnings.push(message);
      try {
        same(await (await open()).find(BIG), WEIGHTS);
      } finally {
        console.warn = warn;
      }
      expect(warnings.join()).toMatch(
        /could not be fetched from .* \(.*ECONNREFUSED.*\).*Using what was downloaded before/,
      );
      const error = await failure(() => open({ revision: 'v1.0' }));
      expect(error.message).toMatch(/could not be fetched from http.*ECONNREFUSED.*check the connection and try again/);
      hub = await startHub({});
    }));
});

describe('offline, when only a part was downloaded', () => {
  const parts = ['model_index.json', 'unet/config.json', 'scheduler/scheduler_config.json'];
  const advice = (why: string) =>
    new RegExp(`has not been downloaded before, and ${why}; load it once with a connection to the Hub$`);
  const toldNotTo = advice('no network is to be used \\(localFilesOnly, HF_HUB_OFFLINE\\)');

  /** Opens a fixture's repository with what was fetched of it before. */
  const withPart = (model: string, fetched: readonly string[], body: (options: HubOptions) => Promise<void>) =>
    withCache(async (open, cacheDir) => {
      const names = (await readdir(fixture(model), { recursive: true })).filter((name) => /\.[a-z]+$/.test(name));
      const files = Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await readFile(fixture(`${model}/${name}`))] as const)),
      );
      hub.repositories.set(ID, { commit: COMMIT, files, large: [] });
      const folder = await open();
      for (const path of fetched) expect(await folder.find(path)).toBeDefined();
      await body({ endpoint: hub.endpoint, cacheDir, token: false });
    });

  const missing: [string, readonly string[], RegExp][] = [
    ['the index alone', parts.slice(0, 1), /^unet\/config\.json of owner\/model: has not been/],
    ['no scheduler', parts.slice(0, 2), /^scheduler\/scheduler_config\.json of owner\/model: has not been/],
    ['no weights', parts, /^unet of owner\/model: found neither model\.onnx nor one of .*; has not been/],
    ['nothing that is needed', ['scheduler/scheduler_config.json'], /^model_index\.json of owner\/model: has not been/],
  ];
  test.each(missing)('a pipeline: %s', (_, fetched, what) =>
    withPart('checkpoints/pipeline', fetched, async (options) => {
      const load = () => DDIMPipeline.fromPretrained(ID, { ...options, localFilesOnly: true });
      const { message } = await failure(load);
      expect(message).toMatch(what);
      expect(message).toMatch(toldNotTo);
      // Once with a connection, as the message says, is enough.
      await (await DDIMPipeline.fromPretrained(ID, options)).dispose();
      await (await load()).dispose();
    }),
  );

  const SHARD = 'diffusion_pytorch_model-0000';
  test('a shard, a UNet, a scheduler', () =>
    withPart('checkpoints/sharded', ['diffusion_pytorch_model.safetensors.index.json'], async (options) => {
      const given = { ...options, localFilesOnly: true };
      const unet = () => failure(() => UNet2DModel.fromPretrained(ID, given));
      expect((await unet()).message).toMatch(/^config\.json of owner\/model: has not been/);
      expect((await unet()).message).toMatch(toldNotTo);
      const folder = await openFolder(ID, options);
      await folder.expect(['config.json', `${SHARD}2-of-00002.safetensors`]);
      expect((await unet()).message).toMatch(
        new RegExp(`^${SHARD}1-of-00002\\.safetensors of owner/model: has not been`),
      );
      expect((await unet()).message).toMatch(toldNotTo);
      const { message } = await failure(() => DDIMScheduler.fromPretrained(ID, given));
      expect(message).toMatch(/^scheduler_config\.json of owner\/model: has not been/);
      expect(message).toMatch(toldNotTo);
    }));

  test('without a connection', () =>
    withPart('checkpoints/pipeline', parts, async (options) => {
      await hub.close();
      const { warn } = console;
      console.warn = () => {};
      try {
        const { message } = await failure(() => DDIMPipeline.fromPretrained(ID, options));
        expect(message).toMatch(/^unet of owner\/model: found neither /);
        expect(message).toMatch(advice('the Hub could not be reached'));
      } finally {
        console.warn = warn;
        hub = await startHub({});
      }
    }));
});

describe('environment', () => {
  const withEnvironment = async (values: Record<string, string>, body: () => Promise<void>) => {
    const before = { ...process.env };
    for (const key of Object.keys(process.env)) if (/^(HF|HUGGING|XDG|TRANSFORMERS)/.test(key)) delete process.env[key];
    Object.assign(process.env, values);
    try {
      await body();
    } finally {
      for (const key of Object.keys(values)) delete process.env[key];
      Object.assign(process.env, before);
    }
  };
  const places: [string, (d: string) => Record<string, string>, string][] = [
    ['HF_HUB_CACHE', (d) => ({ HF_HUB_CACHE: join(d, 'a'), HF_HOME: join(d, 'b') }), 'a'],
    ['HUGGINGFACE_HUB_CACHE', (d) => ({ HUGGINGFACE_HUB_CACHE: join(d, 'a'), HF_HOME: join(d, 'b') }), 'a'],
    ['HF_HOME', (d) => ({ HF_HOME: join(d, 'b'), XDG_CACHE_HOME: join(d, 'c') }), 'b/hub'],
    ['XDG_CACHE_HOME', (d) => ({ XDG_CACHE_HOME: join(d, 'c') }), 'c/huggingface/hub'],
    ['HOME', (d) => ({ HOME: d }), '.cache/huggingface/hub'],
    ['~', (d) => ({ HOME: d, HF_HOME: '~/h' }), 'h/hub'],
    ['~ in HF_HUB_CACHE', (d) => ({ HOME: d, HF_HUB_CACHE: '~/h' }), 'h'],
    ['$NAME', (d) => ({ ROOT_1: d, HF_HOME: '$ROOT_1/h' }), 'h/hub'],
    ['$NAME in braces', (d) => ({ ROOT_1: d, HF_HUB_CACHE: `\${ROOT_1}/h` }), 'h'],
    ['two of them', (d) => ({ ROOT_1: d, LEAF: 'x', HF_HUB_CACHE: `$ROOT_1/\${LEAF}$LEAF` }), 'xx'],
    ['what is not set stays', (d) => ({ HF_HOME: join(d, `$NOT_SET\${NOR_THIS}$`) }), `$NOT_SET\${NOR_THIS}$/hub`],
    ['a value with a variable', (d) => ({ ROOT_1: join(d, '$LEAF'), LEAF: 'x', HF_HUB_CACHE: '$ROOT_1' }), '$LEAF'],
  ];
  test.each(places)('%s says where the cache is', (_, values, expected) =>
    withDirectory((directory) =>
      withEnvironment({ ...values(directory), HF_ENDPOINT: hub.endpoint }, async () => {
        await (await openFolder(ID)).find('empty');
        expect(await readdir(join(directory, expected))).toEqual(['models--owner--model']);
      }),
    ),
  );

  const tokens: [string, (d: string) => Record<string, string>][] = [
    ['HF_TOKEN', () => ({ HF_TOKEN: 'hf_secret' })],
    ['HUGGING_FACE_HUB_TOKEN', () => ({ HUGGING_FACE_HUB_TOKEN: 'hf_secret\n' })],
    ['HF_TOKEN_PATH', (d) => ({ HF_TOKEN_PATH: join(d, 'token') })],
    ['the token of HF_HOME', (d) => ({ HF_HOME: d })],
    ['$NAME in HF_TOKEN_PATH', (d) => ({ ROOT_1: d, HF_TOKEN_PATH: '$ROOT_1/token' })],
  ];
  test.each(tokens)('%s is sent', (_, values) =>
    withDirectory((directory) =>
      withEnvironment(
        { HF_HUB_CACHE: join(directory, 'hub'), HF_ENDPOINT: hub.endpoint, ...values(directory) },
        async () => {
          await writeFile(join(directory, 'token'), 'hf_secret\n');
          same(await (await openFolder('owner/private')).find(BIG), WEIGHTS);
          await failure(() => openFolder('owner/private', { token: false }));
          process.env.HF_HUB_DISABLE_IMPLICIT_TOKEN = '1';
          await failure(() => openFolder('owner/private'));
          same(await (await openFolder('owner/private', { token: true })).find(BIG), WEIGHTS);
          delete process.env.HF_HUB_DISABLE_IMPLICIT_TOKEN;
          const sent = asked('list').map(({ authorization }) => authorization);
          expect(sent).toEqual(['Bearer hf_secret', undefined, undefined, 'Bearer hf_secret']);
        },
      ),
    ),
  );

  test('token: true without a saved one says what to do', () =>
    withDirectory((directory) =>
      withEnvironment({ HF_HOME: directory, HF_ENDPOINT: hub.endpoint }, async () => {
        expect((await failure(() => openFolder(ID, { token: true }))).message).toMatch(
          /run 'hf auth login', set HF_TOKEN/,
        );
      }),
    ));
});
