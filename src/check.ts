// Checks at the public edge. A wrong type is a TypeError, a wrong value a RangeError; the message names the argument,
// what was expected and what arrived.

/** A short picture of any value for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'function') return `a function${value.name ? ` ${value.name}` : ''}`;
  if (typeof value === 'symbol') return value.toString();
  if (Array.isArray(value)) {
    const shown = value.slice(0, 8).map(describe).join(', ');
    return `[${shown}${value.length > 8 ? `, ... ${value.length} in all` : ''}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const name = Object.getPrototypeOf(value)?.constructor?.name;
    return name && name !== 'Object' ? `an instance of ${name}` : 'an object';
  }
  return String(value);
}

function wrong(name: string, expected: string, value: unknown): string {
  return `${name}: expected ${expected}, got ${describe(value)}`;
}

/** @throws {Error} more bytes than the limit. */
export function checkBytes(size: number, limit: number, label?: string): void {
  if (size > limit) throw new Error(`${label ? `${label}: ` : ''}${size} bytes, over the limit of ${limit}`);
}

/** An integer in low..high. */
export function checkInteger(name: string, value: unknown, low: number, high: number): number {
  const expected = high === Number.MAX_SAFE_INTEGER ? `an integer of at least ${low}` : `an integer in ${low}..${high}`;
  if (typeof value !== 'number') throw new TypeError(wrong(name, expected, value));
  if (!Number.isInteger(value) || value < low || value > high) throw new RangeError(wrong(name, expected, value));
  return value;
}

function numberIn(low: number, high: number): string {
  if (high === Number.MAX_VALUE) return `a finite number of at least ${low}`;
  if (high < Infinity) return `a number in [${low}, ${high}]`;
  return low === -Infinity ? 'a number' : `a number of at least ${low}`;
}

/** A number in [low, high]; NaN is never one. */
export function checkNumber(name: string, value: unknown, low = -Infinity, high = Infinity): number {
  const expected = numberIn(low, high);
  if (typeof value !== 'number') throw new TypeError(wrong(name, expected, value));
  if (!(value >= low && value <= high)) throw new RangeError(wrong(name, expected, value));
  return value;
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new TypeError(wrong(name, 'a boolean', value));
  return value;
}

export function checkString(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(wrong(name, 'a string', value));
  return value;
}

/** One of a list of strings. */
export function checkOneOf<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const expected = choices
    .map((c) => `'${c}'`)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1');
  if (typeof value !== 'string') throw new TypeError(wrong(name, expected, value));
  if (!choices.includes(value as T)) throw new RangeError(wrong(name, expected, value));
  return value as T;
}

/** An object of options, or nothing; keys that are not known are errors, so that a typing mistake is not ignored. */
export function checkOptions<T extends object>(name: string, value: unknown, known: readonly string[]): T {
  if (value === undefined) return {} as T;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(wrong(name, 'an object of options', value));
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key))
      throw new RangeError(`${name}: expected the keys ${known.join(', ')}, got ${describe(key)}`);
  }
  return value as T;
}

export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw new TypeError(wrong(name, 'a function', value));
}

export function checkSignal(name: string, value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  const signal = value as AbortSignal;
  if (typeof value !== 'object' || value === null || typeof signal.throwIfAborted !== 'function') {
    throw new TypeError(wrong(name, 'an AbortSignal', value));
  }
  return signal;
}
