// The loopback server of a run: gives each runtime its cases, the models and, to browsers, the page; takes the results.
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, relative } from 'node:path';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};
const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

/**
 * Serves files below the given folders, by the first part of the path, and one run at a time:
 *
 *   GET  /run/cases          the cases to run
 *   GET  /run/files/<model>  the paths of a model's files, for what keeps them in memory
 *   POST /run/result         what one case gave
 *   POST /run/end            all are done; `{ about }` or `{ error }`
 *
 * @param folders `{ models: '/path/to/models', ... }`.
 */
export async function startServer(folders) {
  let run;
  const place = (pathname) => {
    const [, root, ...rest] = normalize(decodeURIComponent(pathname)).split('/');
    return join(folders[root] ?? '/nowhere', ...rest);
  };
  const server = createServer(async (request, response) => {
    const answer = (status, type, body) =>
      response.writeHead(status, { 'content-type': type, ...(run?.isolated && ISOLATED) }).end(body);
    try {
      const { pathname } = new URL(request.url, 'http://localhost');
      if (request.method === 'POST') {
        const body = await bodyOf(request);
        answer(204, 'text/plain');
        if (pathname === '/run/result') run?.onResult(body);
        if (pathname === '/run/end') run?.onEnd(body);
      } else if (pathname === '/run/cases') {
        answer(200, TYPES['.json'], JSON.stringify(run?.cases));
      } else if (pathname.startsWith('/run/files/')) {
        const folder = place(pathname.slice('/run/files'.length));
        const entries = await readdir(folder, { recursive: true, withFileTypes: true });
        const paths = entries
          .filter((one) => one.isFile())
          .map((one) => relative(folder, join(one.parentPath, one.name)));
        answer(200, TYPES['.json'], JSON.stringify(paths));
      } else {
        const bytes = await readFile(place(pathname)).catch(() => undefined);
        answer(bytes ? 200 : 404, TYPES[extname(pathname)] ?? 'application/octet-stream', bytes);
      }
    } catch (error) {
      answer(500, 'text/plain', String(error));
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${server.address().port}`,
    /**
     * Lets one runtime run its cases.
     * @param start starts it and gives `{ stop, ended }`: `ended` settles when it ends by itself, with why.
     * @param idleMs without a result for so long, it is given up.
     */
    async collect({ cases, isolated, start, idleMs }) {
      const results = [];
      let timer;
      let started;
      try {
        const end = await new Promise((resolve, reject) => {
          const alive = () => {
            clearTimeout(timer);
            timer = setTimeout(() => resolve({ error: `gave no result for ${idleMs / 1000} s` }), idleMs);
          };
          const onResult = (result) => {
            results.push(result);
            alive();
          };
          run = { cases, isolated, onResult, onEnd: resolve };
          alive();
          started = start();
          started.ended.then((why) => resolve({ error: `ended early: ${why}` }), reject);
        });
        return { results, about: end.about ?? {}, failure: end.error };
      } finally {
        clearTimeout(timer);
        run = undefined;
        await started?.stop();
      }
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
