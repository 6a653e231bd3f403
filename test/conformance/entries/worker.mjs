// In workerd: one request runs all cases; models as files in memory.
import * as library from 'ddim-wasm';
import { serveCases } from '../client.mjs';

const EMBEDDED = 'models/fashion-mnist';

export default {
  async fetch(request) {
    const base = new URL(request.url).searchParams.get('base');
    const place = async (model = EMBEDDED) => {
      const paths = await (await fetch(`${base}/run/files/${model}`)).json();
      const read = async (path) => new Uint8Array(await (await fetch(`${base}/${model}/${path}`)).arrayBuffer());
      return Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await read(path)])));
    };
    await serveCases({ library, base, place });
    return new Response('done');
  },
};
