// What every entry does: asks the server for the cases, runs them, and sends back what they gave.
import { runCases } from './run.mjs';

/**
 * @param library the exports of ddim-wasm.
 * @param base address of the server.
 * @param place as `runCases` takes it.
 * @param about what the runtime says of itself.
 */
export async function serveCases({ library, base, place, about = {} }) {
  const post = async (path, body) => {
    await fetch(`${base}/run/${path}`, { method: 'POST', body: JSON.stringify(body) });
  };
  try {
    const cases = await (await fetch(`${base}/run/cases`)).json();
    await runCases({ library, cases, place, report: (result) => post('result', result) });
    await post('end', { about });
  } catch (error) {
    await post('end', { error: String(error?.stack ?? error) });
  }
}
