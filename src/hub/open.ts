import type { Folder } from './folder.js';
import type { ModelFiles } from './memory.js';
import { type HubOptions, openPlace } from './place.js';

export { HUB_OPTIONS, type HubOptions } from './place.js';

/** Opens a model's place; a repository of the Hub with all that can be had: a cache, resumed and verified downloads. */
export const openFolder = (model: string | ModelFiles, options: HubOptions = {}): Promise<Folder> =>
  openPlace(model, options, async (...repository) => (await import('./repository.js')).openRepository(...repository));
