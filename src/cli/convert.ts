import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeFile } from '../hub/files.js';
import { findLayout, MODEL_INDEX } from '../hub/layout.js';
import { openFolder } from '../hub/open.js';
import { toScheduler } from '../pipeline.js';
import { convertModel, readSource } from '../unet/model.js';
import { MODEL_OPTIONS, toPretrained } from './options.js';

/** Writes a model in diffusers' layout with unet/model.onnx in place of the weights, and returns the files written. */
export async function convert(args: string[]): Promise<string[]> {
  const options = { ...MODEL_OPTIONS, out: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [model, ...others] = positionals;
  if (model === undefined || others.length > 0) {
    throw new RangeError(`MODEL: expected one, got ${positionals.length === 0 ? 'none' : positionals.join(' ')}`);
  }
  const { out } = values;
  if (out === undefined) throw new RangeError('--out: expected a directory, got none');
  const { variant, ...hub } = toPretrained(values);
  const layout = await findLayout(await openFolder(model, hub));
  await convertModel(await readSource(layout.unet, variant), join(out, 'unet'));
  await toScheduler(layout).savePretrained(join(out, 'scheduler'));
  await writeFile(join(out, 'model_index.json'), MODEL_INDEX);
  return [join(out, 'unet/model.onnx'), join(out, 'scheduler/scheduler_config.json'), join(out, 'model_index.json')];
}
