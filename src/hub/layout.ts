import { describe } from '../check.js';
import { DIFFUSERS_VERSION, type Json, pythonJson } from '../config/json.js';
import { missing, parseJson } from './files.js';
import { type Folder, sub } from './folder.js';

/** Where the parts of a pipeline lie. */
export interface Layout {
  /** The folder of the UNet. */
  readonly unet: Folder;
  /** What scheduler_config.json says and how messages name it; undefined where there is none. */
  readonly scheduler: { readonly json: Json; readonly label: string } | undefined;
}

/** Names that diffusers has given the model in model_index.json; the second one was that of release 0.0.4. */
const UNETS = ['UNet2DModel', 'UNetUnconditionalModel'];

async function find(folder: Folder, path: string): Promise<{ json: Json; label: string } | undefined> {
  const bytes = await folder.find(path);
  const label = folder.label(path);
  return bytes && { json: parseJson(label, bytes), label };
}

/** Refuses pipelines of another kind, such as a latent diffusion model, before anything large is fetched. */
function checkIndex({ json, label }: { json: Json; label: string }): void {
  const { unet, _class_name: name } = json;
  const parts = Object.keys(json).filter((key) => !key.startsWith('_'));
  const known = parts.every((part) => ['unet', 'scheduler', 'noise_scheduler'].includes(part));
  if (unet === undefined || !known) {
    throw new Error(`${label}: expected a DDIMPipeline or DDPMPipeline (unet and scheduler), got ${describe(name)}`);
  }
  const className = Array.isArray(unet) ? unet[1] : unet;
  if (!UNETS.includes(className)) {
    throw new Error(`${label}: expected a UNet2DModel as the unet, got ${describe(className)}`);
  }
}

/**
 * Finds the parts of a pipeline as `DiffusionPipeline.from_pretrained` does: each in a folder of its own, or, where there
 * is none, in the root.
 * @throws {Error} no pipeline, or one of another kind.
 */
export async function findLayout(folder: Folder): Promise<Layout> {
  const index = await find(folder, 'model_index.json');
  if (index) checkIndex(index);
  const nested = await folder.has('unet/config.json');
  if (!nested && !(await folder.has('config.json'))) {
    throw missing(folder, index ? 'unet/config.json' : 'model_index.json', `, nor a config.json in ${folder.name}`);
  }
  const paths = ['scheduler/scheduler_config.json', 'scheduler_config.json', 'noise_scheduler/scheduler_config.json'];
  let scheduler: Layout['scheduler'];
  for (const path of paths) scheduler ??= await find(folder, path);
  if (index && !scheduler) throw missing(folder, paths[0] as string);
  return { unet: nested ? sub(folder, 'unet') : folder, scheduler };
}

/** The text of model_index.json. */
export const MODEL_INDEX = pythonJson({
  _class_name: 'DDIMPipeline',
  _diffusers_version: DIFFUSERS_VERSION,
  scheduler: ['diffusers', 'DDIMScheduler'],
  unet: ['diffusers', 'UNet2DModel'],
});
