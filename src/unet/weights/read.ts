import { jsonText } from '../../config/json-text.js';
import { missing } from '../../hub/files.js';
import type { Folder } from '../../hub/folder.js';
import { readSafetensors } from './safetensors.js';
import type { Weight, Weights } from './weights.js';

const NAME = 'diffusion_pytorch_model';
const MAX_SHARDS = 1000;

type Format = 'safetensors' | 'bin';

/** How diffusers names a file of weights (`_add_variant` of diffusers/utils/hub_utils.py). */
const single = (format: Format, variant?: string): string => `${NAME}${variant ? `.${variant}` : ''}.${format}`;
const index = (format: Format, variant?: string): string =>
  `${NAME}.${format}.index${variant ? `.${variant}` : ''}.json`;

async function readFile(format: Format, label: string, file: string, bytes: Uint8Array): Promise<Weights> {
  if (format === 'bin') return (await import('./torch-bin.js')).readTorchBin(label, file, bytes);
  return { tensors: readSafetensors(label, file, bytes), files: new Map([[file, bytes]]) };
}

async function find(folder: Folder, file: string): Promise<Uint8Array> {
  const bytes = await folder.find(file);
  if (!bytes) throw missing(folder, file, '', 'the folder has only a part of the weights');
  return bytes;
}

/** Which shard each tensor is in: the `weight_map` of an index. */
export function parseIndex(label: string, bytes: Uint8Array, format: Format): Map<string, string> {
  try {
    const json = JSON.parse(jsonText(bytes)) as { weight_map?: unknown } | null;
    const map = json?.weight_map;
    if (typeof map !== 'object' || map === null || Array.isArray(map)) throw new Error('no weight_map');
    const shards = new Map<string, string>();
    for (const [name, shard] of Object.entries(map)) {
      // A shard lies beside its index, under a name of its own kind.
      if (
        typeof shard !== 'string' ||
        !/^[\w.-]+$/.test(shard) ||
        !shard.endsWith(`.${format}`) ||
        shard.startsWith('.')
      ) {
        throw new Error(
          `refused the shard ${JSON.stringify(shard)?.slice(0, 120)}, which is no name of a .${format} file`,
        );
      }
      shards.set(name, shard);
    }
    return shards;
  } catch (cause) {
    throw new Error(`${label}: not a valid index of shards (${(cause as Error).message}); fetch it again`, { cause });
  }
}

async function readShards(folder: Folder, path: string, format: Format): Promise<Weights> {
  const map = parseIndex(folder.label(path), await find(folder, path), format);
  const names = [...new Set(map.values())];
  if (names.length > MAX_SHARDS) throw new Error(`${folder.label(path)}: more than ${MAX_SHARDS} shards`);
  await folder.expect(names);
  const tensors = new Map<string, Weight>();
  const files = new Map<string, Uint8Array>();
  for (const name of names) {
    const shard = await readFile(format, folder.label(name), name, await find(folder, name));
    for (const [file, bytes] of shard.files) files.set(file, bytes);
    for (const [tensor, weight] of shard.tensors) {
      if (map.get(tensor) === name) tensors.set(tensor, weight);
    }
  }
  for (const [tensor, name] of map) {
    // Tensors of integers are in the index and not in the map.
    if (!tensors.has(tensor) && !isLeftOut(tensor)) {
      throw new Error(`${folder.label(name)}: the tensor ${tensor}, which its index promises, is not in it`);
    }
  }
  return { tensors, files };
}

/** Counters that training leaves in a checkpoint: no parameter of a UNet2DModel. */
const isLeftOut = (tensor: string): boolean => /(num_batches_tracked|position_ids)$/.test(tensor);

/**
 * Reads the weights in a UNet's folder, in diffusers' order of preference: safetensors before .bin, one file before shards.
 * @throws {Error} none there, or broken ones.
 */
export async function readWeights(folder: Folder, { variant }: { variant?: string } = {}): Promise<Weights> {
  const looked: string[] = [];
  for (const format of ['safetensors', 'bin'] as const) {
    const file = single(format, variant);
    if (await folder.has(file)) return readFile(format, folder.label(file), file, await find(folder, file));
    const list = index(format, variant);
    if (await folder.has(list)) return readShards(folder, list, format);
    looked.push(file, list);
  }
  const advice = variant === undefined ? 'check the path, or name a variant' : `leave out the variant '${variant}'`;
  throw new Error(
    `${folder.name}: found neither model.onnx nor one of ${looked.join(', ')}; ${folder.absent ?? advice}`,
  );
}
