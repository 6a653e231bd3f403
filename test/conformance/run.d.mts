import type * as library from 'ddim-wasm';

export interface Case {
  name: string;
  equals?: string;
  [key: string]: unknown;
}

export interface Result {
  group: string;
  name: string;
  hashes?: Record<string, string>;
  error?: string;
}

export function runCases(options: {
  library: Pick<typeof library, 'DDIMPipeline' | 'DDIMScheduler' | 'Generator'>;
  cases: Record<string, Case[]>;
  place: (model: string | undefined) => string | undefined;
  report: (result: Result) => unknown;
}): Promise<void>;
