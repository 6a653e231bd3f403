import type { Json } from '../config/json.js';
import { join, missing, parseJson, writeFile } from '../hub/files.js';
import type { Folder } from '../hub/folder.js';
import type { CheckpointMaterial } from './checkpoint.js';
import type { Planning } from './graph/plan.js';
import { readOnnxFile } from './onnx-file.js';

/** How the 3 x 3 convolutions of stride 1 of a model are done. */
export interface ConvolutionPlan {
  /** How many there are. */
  readonly convolutions: number;
  /** The algorithm of those that are not done directly, by the name of the layer: 'F(4,3)' and the like. */
  readonly tilings: ReadonlyMap<string, string>;
  /** Bytes of memory that this adds to the weights. */
  readonly extraBytes: number;
}

/** A model.onnx, used as it is, and the files that its weights lie in. */
export interface ExportedMaterial {
  readonly label: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly graph: Uint8Array;
  readonly parameters: number;
  readonly path: string | undefined;
}

/** What a model is made from: read, and plain, so that a worker can build the graph as well. */
export type Material = ExportedMaterial | CheckpointMaterial;

/** A model in memory, ready for a session: an ONNX graph, and the files that its weights lie in. */
export interface Model {
  /** How messages name it. */
  readonly label: string;
  readonly graph: Uint8Array;
  /** What the graph's external data point into, by location. */
  readonly externalData: ReadonlyMap<string, Uint8Array>;
  /** Number of weights. */
  readonly parameters: number;
  /** Tensors of the checkpoint that have no place in it. */
  readonly unused?: readonly string[];
  /** How its convolutions are done; undefined for a graph that was not built here. */
  readonly plan?: ConvolutionPlan;
  /** The graph's file, for a runtime that finds external data beside it; undefined for one that was built here. */
  readonly path?: string | undefined;
  /** The graph with the weights within, as any ONNX runtime takes it; undefined for one that was not built here. */
  embed?(): Uint8Array;
}

/** What models without a graph need is loaded with the first one. */
const checkpoint = () => import('./checkpoint.js');

const ONNX = 'model.onnx';
const SAFETENSORS = 'diffusion_pytorch_model.safetensors';

/** Where a model comes from: the folder of a UNet and what its config.json says. */
export interface ModelSource {
  readonly folder: Folder;
  /** config.json, and what it says. */
  readonly config: Uint8Array;
  readonly json: Json;
  readonly variant?: string | undefined;
}

/** Opens the folder of a UNet. @throws {Error} no config.json, or a broken one. */
export async function readSource(folder: Folder, variant?: string): Promise<ModelSource> {
  const label = folder.label('config.json');
  const config = await folder.find('config.json');
  if (!config) throw missing(folder, 'config.json');
  return { folder, config, json: parseJson(label, config), variant };
}

/** Whether the folder holds a graph that is used as it is. */
const isExported = async ({ folder, variant }: ModelSource): Promise<boolean> =>
  variant === undefined && (await folder.has(ONNX));

/**
 * Reads what a model is made from: model.onnx where there is one, else a checkpoint.
 * @throws {Error} a missing or broken file, by name. @throws {RangeError} a configuration that is not supported.
 */
export async function readMaterial(source: ModelSource): Promise<Material> {
  return (await isExported(source)) ? readExported(source.folder) : (await checkpoint()).readCheckpoint(source);
}

/**
 * Makes the model of it, for which a checkpoint's graph is built.
 * @param planning what faster convolutions are planned for; null: direct convolutions only.
 * @throws {Error} weights that are missing or do not fit. @throws {RangeError} a configuration that is not supported.
 */
export async function buildModel(material: Material, planning: Planning | null = null): Promise<Model> {
  if (!('graph' in material)) return (await checkpoint()).buildCheckpoint(material, planning);
  const { files, ...rest } = material;
  return { ...rest, externalData: files };
}

async function readExported(folder: Folder): Promise<ExportedMaterial> {
  const label = folder.label(ONNX);
  const graph = (await folder.find(ONNX)) ?? new Uint8Array(0);
  const { externalData: names, parameters } = readOnnxFile(label, graph);
  await folder.expect(names);
  const files = new Map<string, Uint8Array>();
  for (const name of names) {
    const bytes = await folder.find(name);
    if (!bytes) throw missing(folder, name, '', `${label} keeps its weights there`);
    files.set(name, bytes);
    await folder.locate(name);
  }
  return { label, graph, files, parameters, path: await folder.locate(ONNX) };
}

/** Writes the model's files, so that `readMaterial` of that directory gives the same model, in diffusers' layout. */
export async function saveModel(source: ModelSource, directory: string): Promise<void> {
  if (await isExported(source)) {
    const { graph, files } = await readExported(source.folder);
    await writeFile(join(directory, ONNX), graph);
    for (const [name, bytes] of files) await writeFile(join(directory, name), bytes);
  } else {
    await writeFile(join(directory, SAFETENSORS), await (await checkpoint()).toSafetensors(source));
  }
  await writeFile(join(directory, 'config.json'), source.config);
}

/** Writes config.json and the model as one model.onnx, weights within (one that was not built here is copied). */
export async function convertModel(source: ModelSource, directory: string): Promise<void> {
  const { embed: whole } = await buildModel(await readMaterial(source));
  if (!whole) return saveModel(source, directory);
  await writeFile(join(directory, ONNX), whole());
  await writeFile(join(directory, 'config.json'), source.config);
}
