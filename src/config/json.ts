// JSON on disk is snake_case as diffusers writes it; objects in memory are camelCase.

/** The version of diffusers whose behaviour and files are implemented. */
export const DIFFUSERS_VERSION = '0.26.3';

/** Any configuration as it came from JSON. */
export type Json = Record<string, unknown>;

export function toCamel(key: string): string {
  return key.startsWith('_') ? key : key.replace(/_+([a-z0-9])/g, (_, c: string) => c.toUpperCase());
}

export function toSnake(key: string): string {
  return key.startsWith('_') ? key : key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
}

// Python writes and reads the floats that JSON has no words for: Infinity, -Infinity and NaN.
const NAN = '\u0000NaN';

/** `JSON.parse` with those. */
export function parsePythonJson(text: string): unknown {
  const standard = text.replace(/"(?:[^"\\]|\\[\s\S])*"|-?\bInfinity\b|\bNaN\b/g, (token) => {
    if (token.startsWith('"')) return token;
    return token === 'NaN' ? JSON.stringify(NAN) : token.replace('Infinity', '1e999');
  });
  return JSON.parse(standard, (_, value) => (value === NAN ? NaN : value));
}

/** A float as Python prints it: 1 becomes 1.0. Needed for files that equal diffusers' to the byte. */
function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return `${value}.0`;
  if (Math.abs(value) >= 1e-4) return String(value);
  const [mantissa, power] = value.toExponential().split('e-') as [string, string];
  return `${mantissa}e-${power.padStart(2, '0')}`;
}

/** JSON text as Python's `json.dumps(..., indent=2, sort_keys=True)`; `floats` names the keys that hold floats. */
export function pythonJson(value: Json, floats: ReadonlySet<string> = new Set()): string {
  const write = (v: unknown, indent: string, float: boolean): string => {
    if (typeof v === 'number') return float || !Number.isFinite(v) ? pythonFloat(v) : String(v);
    if (Array.isArray(v)) {
      if (v.length === 0) return '[]';
      const inner = `${indent}  `;
      return `[\n${v.map((item) => inner + write(item, inner, float)).join(',\n')}\n${indent}]`;
    }
    if (typeof v === 'object' && v !== null) {
      const keys = Object.keys(v).sort();
      if (keys.length === 0) return '{}';
      const inner = `${indent}  `;
      const lines = keys.map((k) => `${inner}${JSON.stringify(k)}: ${write((v as Json)[k], inner, floats.has(k))}`);
      return `{\n${lines.join(',\n')}\n${indent}}`;
    }
    return JSON.stringify(v) ?? 'null';
  };
  return `${write(value, '', false)}\n`;
}
