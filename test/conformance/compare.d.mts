import type { Case, Result } from './run.mjs';

export interface Run {
  name: string;
  asked: Record<string, (Pick<Case, 'name'> & Partial<Case>)[]>;
  results: Result[];
  failure?: string | undefined;
}

export interface Count {
  passed: number;
  failed: number;
  uncompared: number;
  hashes: number;
  equal: number;
}

export function compare(
  runs: Run[],
  expected: Record<string, unknown>,
): { name: string; groups: Record<string, Count>; differences: string[] }[];
