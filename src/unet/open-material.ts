import type { Device } from './device.js';
import { discard } from './discard.js';
import type { Planning } from './graph/plan.js';
import { buildModel, type ConvolutionPlan, type Material } from './model.js';
import type { InputInfo, Runner } from './runner.js';
import { openSession, prepareSession } from './session.js';

/** What is known of a model once it is open: plain, as a worker tells it. */
export interface About {
  readonly inputs: readonly InputInfo[];
  readonly outputs: readonly string[];
  readonly label: string;
  readonly parameters: number;
  /** Bytes of the graph and of the files that its weights lie in. */
  readonly bytes: number;
  readonly plan: ConvolutionPlan | undefined;
  readonly unused: readonly string[];
}

export interface OpenSession {
  readonly runner: Runner;
  readonly about: About;
}

/**
 * Builds a model's graph and opens it in this thread.
 * @param owned whether the bytes of a file are nobody else's: their memory is given back then.
 */
export async function openMaterial(
  material: Material,
  device: Device,
  planning: Planning | null,
  owned: (bytes: Uint8Array) => boolean,
): Promise<OpenSession> {
  prepareSession(device);
  const model = await buildModel(material, planning);
  const { label, parameters, plan, unused = [] } = model;
  const bytes = [...model.externalData.values()].reduce((sum, { length }) => sum + length, model.graph.length);
  const runner = await openSession(model, device);
  for (const file of material.files.values()) if (owned(file)) await discard(file);
  const { inputs, outputs } = runner;
  return { runner, about: { inputs, outputs, label, parameters, bytes, plan, unused } };
}
