// Writes the models that the cases name and that no file holds: architectures of fixtures/unets, weights drawn again.
import { DDIMScheduler } from 'ddim-wasm';
import { type Case, loadCases, writeCheckpoint } from '../unets.ts';

/** Each as a checkpoint of a UNet alone, in a folder of its name. */
export async function writeModels(folder: string, names: string[]): Promise<void> {
  const cases = await loadCases<Case>();
  for (const name of names) {
    const one = cases.find((candidate) => candidate.name === name);
    if (!one) throw new Error(`${name}: no such architecture in fixtures/unets`);
    await writeCheckpoint(`${folder}/${name}`, one);
    // Else each load warns that diffusers' default schedule is taken.
    await new DDIMScheduler().savePretrained(`${folder}/${name}`);
  }
}
