import { type UNetArchitecture, unetArchitecture } from '../config/architecture.js';
import { buildGraph, type UNetGraph } from './graph/build.js';
import type { Plan, Planning } from './graph/plan.js';
import type { Model, ModelSource } from './model.js';
import { readWeights } from './weights/read.js';
import { writeSafetensors } from './weights/safetensors.js';
import type { Weights } from './weights/weights.js';

// Models that come as weights: read, and the graph built. Loaded with the first one.

const read = ({ folder, variant }: ModelSource): Promise<Weights> =>
  readWeights(folder, variant === undefined ? {} : { variant });

/** A checkpoint: the configuration, checked, and the weights. */
export interface CheckpointMaterial extends Weights {
  readonly label: string;
  readonly architecture: UNetArchitecture;
}

/** @throws {RangeError} a configuration that is not supported. @throws {Error} weights that are missing or broken. */
export async function readCheckpoint(source: ModelSource): Promise<CheckpointMaterial> {
  const { folder, json } = source;
  let architecture: UNetArchitecture;
  try {
    architecture = unetArchitecture(json);
  } catch (cause) {
    throw new RangeError(`${folder.label('config.json')}: ${(cause as Error).message}`, { cause });
  }
  return { label: folder.name, architecture, ...(await read(source)) };
}

/** @throws {Error} weights that are missing or do not fit. */
export function buildCheckpoint(material: CheckpointMaterial, planning: Planning | null): Model {
  const { label, architecture, files } = material;
  const built = buildGraph(architecture, material, label, planning);
  const { graph, parameters, unused, convolutions, plan } = built;
  return {
    label,
    graph: graph.encode(),
    externalData: files,
    parameters,
    unused,
    plan: { convolutions, tilings: namesOf(plan), extraBytes: plan.extraBytes },
    embed: () => embed(built, material),
  };
}

const namesOf = ({ tilings }: Plan) => new Map([...tilings].map(([path, { name }]) => [path, name]));

/** Protobuf's limit for one message, which onnxruntime keeps to. */
const MAX_MODEL = 2 ** 31 - 1;

/** The model with its weights within. */
function embed({ graph, parameters }: UNetGraph, weights: Weights): Uint8Array {
  const bytes = [...weights.tensors.values()].reduce((n, { length }) => n + length, 0);
  if (bytes > MAX_MODEL - 2 ** 24) {
    throw new RangeError(`model: expected at most 2 GiB of weights for one ONNX file, got ${parameters} parameters`);
  }
  return graph.encode(weights.files);
}

/** The weights as one safetensors file, whatever they came in. */
export async function toSafetensors(source: ModelSource): Promise<Uint8Array> {
  return writeSafetensors(await read(source));
}
