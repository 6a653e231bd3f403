import { platform } from '#platform';
import { checkBoolean, checkFunction, checkOptions, checkSignal, checkString, describe } from '../check.js';
import { endpointOf } from './environment.js';
import { isUrl } from './files.js';
import type { Folder } from './folder.js';
import { openDirectory } from './local.js';
import { checkModel, type ModelFiles, openFiles } from './memory.js';
import { openUrl } from './url.js';

/** How far a download has come. */
export interface DownloadProgress {
  /** The file, as the repository names it: 'unet/config.json'. */
  readonly file: string;
  /** Bytes of the file that are here. */
  readonly loaded: number;
  /** Bytes of the file. */
  readonly total: number;
  /** The same for all files asked for so far. */
  readonly loadedInAll: number;
  readonly totalInAll: number;
}

/** How a model of the Hub is fetched, named as in diffusers' `from_pretrained`. They have no effect on a directory. */
export interface HubOptions {
  /** A branch, tag or commit. Default 'main'. */
  revision?: string;
  /** A token of the Hub; `false` sends none. Default: HF_TOKEN, else the one that `hf auth login` saved. */
  token?: string | boolean;
  /** Where downloads are kept. Default: where Python's huggingface_hub keeps them. */
  cacheDir?: string;
  /** Use what was downloaded before, and no network. Default: whether HF_HUB_OFFLINE is set. */
  localFilesOnly?: boolean;
  /** Fetch anew what was downloaded before. Default false. */
  forceDownload?: boolean;
  /** The Hub's address. Default: HF_ENDPOINT, else https://huggingface.co. */
  endpoint?: string;
  /** Told as a download goes on. Without it, a bar shows on a terminal. */
  onProgress?: (progress: DownloadProgress) => void;
  /** Stops a download; what is here already is kept, and the next download goes on from there. */
  signal?: AbortSignal;
  /** In place of the global `fetch`: for a proxy, or a test. */
  fetch?: typeof fetch;
}

export const HUB_OPTIONS = [
  'revision',
  'token',
  'cacheDir',
  'localFilesOnly',
  'forceDownload',
  'endpoint',
  'onProgress',
  'signal',
  'fetch',
] as const;

function checkHubOptions(options: HubOptions): void {
  checkOptions('options', options, HUB_OPTIONS);
  for (const key of ['revision', 'cacheDir', 'endpoint'] as const) {
    if (options[key] !== undefined && checkString(key, options[key]) === '') {
      throw new RangeError(`${key}: expected a text that is not empty, got ""`);
    }
  }
  for (const key of ['localFilesOnly', 'forceDownload'] as const) {
    if (options[key] !== undefined) checkBoolean(key, options[key]);
  }
  const { token } = options;
  if (token !== undefined && typeof token !== 'boolean') checkString('token', token);
  checkFunction('onProgress', options.onProgress);
  checkFunction('fetch', options.fetch);
  checkSignal('signal', options.signal)?.throwIfAborted();
}

/** `name` or `owner/name`, as huggingface_hub's validate_repo_id has it. */
const ID = /^(?=.{1,96}$)(?:[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?\/)?[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?$/;
const isId = (model: string): boolean => ID.test(model) && !/--|\.\.|\.git$/.test(model);

/** Paths that can be nothing else. */
const isPath = (model: string): boolean => /^(?:[./~\\]|[A-Za-z]:[\\/])/.test(model) || model.includes('\\');

/** A repository's page, which people copy from the address bar. */
function idOfPage(url: string, endpoint: string): { id: string; revision?: string } | undefined {
  if (!url.startsWith(`${endpoint}/`)) return undefined;
  const page = /^([\w.-]+\/[\w.-]+?)(?:\/tree\/([^?#]+))?\/?(?:[?#].*)?$/.exec(url.slice(endpoint.length + 1));
  if (!page || !isId(page[1] as string)) return undefined;
  return { id: page[1] as string, ...(page[2] && { revision: decodeURIComponent(page[2]) }) };
}

/** What a repository of the Hub is opened with. */
export interface RepositoryOptions extends HubOptions {
  readonly endpoint: string;
  readonly revision: string;
}

/** Opens a repository of the Hub. */
export type OpenRepository = (id: string, options: RepositoryOptions) => Promise<Folder>;

/**
 * Opens the place that a model's name means: an http(s) URL, a directory, or else a repository of the Hub. Files in memory
 * are a place of their own.
 * @throws {TypeError} neither a name nor files. @throws {RangeError} a name that can be none of them.
 */
export async function openPlace(
  model: string | ModelFiles,
  options: HubOptions,
  openRepository: OpenRepository,
): Promise<Folder> {
  checkModel(model);
  checkHubOptions(options);
  if (typeof model !== 'string') return openFiles(model);
  if (model === '') throw new RangeError('model: expected a repository of the Hub, a directory or a URL, got ""');
  const endpoint = endpointOf(options.endpoint);
  const page = isUrl(model) ? idOfPage(model, endpoint) : undefined;
  if (isUrl(model) && !page) return openUrl(model, options);
  if (!page && (isPath(model) || (await platform.isDirectory(model)))) return openDirectory(model);
  const { id, revision } = page ?? { id: model };
  if (!isId(id)) {
    throw new RangeError(
      `model: expected a directory that is there, a URL, or a repository of the Hub such as 'google/ddpm-cifar10-32', got ${describe(model)}`,
    );
  }
  return openRepository(id, { ...options, endpoint, revision: options.revision ?? revision ?? 'main' });
}
