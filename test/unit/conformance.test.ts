// That the conformance suite notices what it is there for: a runtime whose results differ, by one bit, or that has none.
import * as library from 'ddim-wasm';
import { compare } from '../conformance/compare.mjs';
import { type Case, type Result, runCases } from '../conformance/run.mjs';
import { fixture, readJson } from '../support.ts';

const all = await readJson<Record<string, Case[]>>('../conformance/cases.json');
const expected = await readJson<Record<string, unknown>>('../conformance/expected.json');
const pick = (group: string, ...names: string[]) => (all[group] ?? []).filter(({ name }) => names.includes(name));
const cases = {
  noise: pick('noise', 'images', 'uniforms'),
  scheduler: pick('scheduler', 'eta 1'),
  generations: pick('generations', 'safetensors'),
  batches: pick('batches', 'safetensors, one by one'),
};

async function collect(given: Partial<typeof library> = {}): Promise<Result[]> {
  const results: Result[] = [];
  const place = (model: string | undefined) => model && fixture(`../../${model}`);
  const report = (result: Result) => results.push(result);
  await runCases({ library: { ...library, ...given }, cases, place, report });
  return results;
}

/** Changes the lowest bit of the last number. */
function flip(values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  bits[bits.length - 1] = (bits.at(-1) as number) ^ 1;
}

/** A generator whose normals differ by one bit. */
class Altered extends library.Generator {
  override randn(shape: number | readonly number[]): library.Tensor {
    const tensor = super.randn(shape);
    flip(tensor.data as Float32Array);
    return tensor;
  }
}

const results = await collect();
const failed = (runs: Parameters<typeof compare>[0]) => {
  const compared = compare(runs, expected);
  return compared.map(({ groups, differences }) => ({
    failed: Object.fromEntries(Object.entries(groups).map(([group, count]) => [group, count.failed])),
    differences,
  }));
};
const none = { noise: 0, scheduler: 0, generations: 0, batches: 0 };

test('equal runtimes pass; the first has nothing to compare its generations with', () => {
  const [first, second] = compare(
    [
      { name: 'a', asked: cases, results },
      { name: 'b', asked: cases, results },
    ],
    expected,
  );
  expect(first?.groups.generations).toMatchObject({ passed: 0, failed: 0, hashes: 0, uncompared: 18 });
  expect(first?.groups).toMatchObject({ noise: { passed: 2 }, scheduler: { passed: 1 }, batches: { passed: 1 } });
  expect(second?.groups).toMatchObject({ noise: { passed: 2 }, generations: { passed: 1, uncompared: 0 } });
  expect([...(first?.differences ?? []), ...(second?.differences ?? [])]).toEqual([]);
});

test('one bit of the noise: every case that has normals fails, by name', async () => {
  const altered = await collect({ Generator: Altered });
  const [first, second] = failed([
    { name: 'a', asked: cases, results },
    { name: 'b', asked: cases, results: altered },
  ]);
  expect(first).toEqual({ failed: none, differences: [] });
  expect(second?.failed).toEqual({ noise: 1, scheduler: 1, generations: 1, batches: 1 });
  expect(second?.differences[0]).toMatch(
    /^b: noise: "images": 2 of 2 differ, first "0 randn 4x3x32x32": torch \S+ \(AVX2\), diffusers 0\.26\.3 gives \w{64}, it gives \w{64}$/,
  );
  // The reference alone is held against torch and diffusers.
  expect(failed([{ name: 'b', asked: cases, results: altered }])[0]?.failed).toMatchObject({ noise: 1, scheduler: 1 });
});

test('one bit of one image, in a batch or alone', async () => {
  const change = (group: string, key: string) =>
    results.map((one) =>
      one.group === group
        ? { ...one, hashes: { ...one.hashes, [key]: '0'.repeat(64) } as Record<string, string> }
        : one,
    );
  const run = (changed: Result[]) =>
    failed([
      { name: 'a', asked: cases, results },
      { name: 'b', asked: cases, results: changed },
    ])[1];
  expect(run(change('generations', 'image 2 step 4'))).toMatchObject({
    failed: { ...none, generations: 1, batches: 1 },
  });
  const alone = run(change('batches', 'image 0 pixels'));
  expect(alone?.failed).toEqual({ ...none, batches: 1 });
  expect(alone?.differences).toEqual([
    expect.stringMatching(
      /^b: batches: "safetensors, one by one": 1 of 18 differ, first "image 0 pixels": "safetensors" gives/,
    ),
  ]);
});

test('a case that was not reported, failed, or gave no hash; a runtime that ended early', () => {
  const run = (changed: Result[], failure?: string) =>
    failed([
      { name: 'a', asked: cases, results },
      { name: 'b', asked: cases, results: changed, failure },
    ])[1];
  expect(run(results.slice(0, -1))?.differences).toEqual(['b: batches: "safetensors, one by one" was not reported']);
  const first = results[0] as Result;
  const replaced = (one: Partial<Result>) => [{ group: first.group, name: first.name, ...one }, ...results.slice(1)];
  expect(run(replaced({ error: 'Error: no memory' }))?.differences).toEqual(['b: noise: "images" Error: no memory']);
  expect(run(replaced({ hashes: {} }))?.failed).toEqual({ ...none, noise: 1 });
  expect(run(results, 'ended early: SIGKILL')?.differences).toEqual(['b: ended early: SIGKILL']);
});
