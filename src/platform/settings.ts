import type { Settings } from './types.js';

/** What `configure` was given, in a page. */
export const settings: Settings = {};

/** The address of a file in the folder given as `assets`. */
export function inFolder(assets: string | URL, name: string): string {
  const base = new URL(assets, globalThis.location?.href);
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/${name}`;
  return base.href;
}
