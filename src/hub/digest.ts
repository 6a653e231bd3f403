import { workers } from '#workers';
import { readBlob } from '../platform/pieces.js';
import type { Algorithm } from '../platform/types.js';

/** Less is done here before a worker is up. */
const SMALL = 8 * 2 ** 20;

function inWorker(algorithm: Algorithm, digest: Blob): Promise<ArrayBuffer> {
  let end = () => {};
  const answer = new Promise<ArrayBuffer>((resolve, reject) => {
    let ready = false;
    const port = workers.start({
      onMessage(message) {
        const { value, error } = message as { value: ArrayBuffer | undefined; error?: Error };
        if (error) reject(error);
        else if (ready) resolve(value as ArrayBuffer);
        else port.post({ digest, algorithm }, []);
        ready = true;
      },
      onEnd: (reason) => reject(new Error(reason)),
    });
    end = () => void port.terminate();
  });
  return answer.finally(() => end());
}

/** Hash of a file. crypto.subtle copies a whole one, twice, in the thread that asks: a page leaves that to a worker. */
export async function digestBlob(algorithm: Algorithm, file: Blob): Promise<ArrayBuffer> {
  const here = async () => crypto.subtle.digest(algorithm, await readBlob(file));
  return file.size > SMALL && workers.byDefault() > 0 ? inWorker(algorithm, file).catch(here) : here();
}
