import type { Folder } from './folder.js';
import type { HubOptions } from './open.js';
export async function openRepository(id: string, _options: HubOptions): Promise<Folder> {
  throw new Error(`${id}: not yet`);
}
