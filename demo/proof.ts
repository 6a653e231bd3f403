// The hash of a picture's pixels beside the one that Node gave, or the program that gives it.
import type { Model } from './protocol.js';
import type { Settings } from './settings.js';

/** What Node gave when the page was built. */
export interface NodeHashes {
  /** Its version. */
  readonly node: string;
  readonly steps: number;
  readonly eta: number;
  /** SHA-256 of the 8-bit pixels of the embedded model's picture, by seed. */
  readonly hashes: Readonly<Record<string, string>>;
}

type ModelOf = Pick<Model, 'name' | 'classes' | 'device'>;

const find = (id: string) => document.getElementById(id) as HTMLElement;

export class Proof {
  #known: NodeHashes | undefined;
  #settings: Settings | undefined;
  #model: ModelOf | undefined;
  #embedded = true;
  #hashes: readonly string[] = [];

  constructor() {
    find('copy').addEventListener('click', async () => {
      const done = await navigator.clipboard.writeText(find('snippet').textContent ?? '').then(
        () => true,
        () => false,
      );
      find('copy').textContent = done ? 'Copied' : 'Select it and copy';
      setTimeout(() => {
        find('copy').textContent = 'Copy';
      }, 2000);
    });
  }

  know(hashes: NodeHashes): void {
    this.#known = hashes;
  }

  /** A run begins. */
  expect(settings: Settings, model: ModelOf, embedded: boolean, selected: number): void {
    this.#settings = settings;
    this.#model = model;
    this.#embedded = embedded;
    this.#hashes = [];
    this.show(selected);
  }

  /** A run ends. */
  settle(hashes: readonly string[], selected: number): void {
    this.#hashes = hashes;
    this.show(selected);
  }

  show(selected: number): void {
    if (!this.#settings || !this.#model) return;
    const seed = this.#settings.seed + selected;
    const node = this.#nodeHash(seed);
    const here = this.#hashes[selected];
    const seeds = Array.from({ length: this.#settings.batch }, (_, i) => (this.#settings as Settings).seed + i);
    find('here-title').textContent = `Picture of seed ${seed}, on this page`;
    find('node-title').textContent = `Seed ${seed}, in Node ${node ? (this.#known as NodeHashes).node : ''}`;
    write(find('here'), here ?? '');
    write(find('node'), node ?? '');
    find('snippet').textContent = this.#snippet(seed);
    const verdict = find('verdict');
    const [text, kind] = this.#verdict(seeds);
    verdict.textContent = text;
    verdict.className = kind;
    const check = find('check') as HTMLDetailsElement;
    (find('node').closest('div') as HTMLElement).hidden = node === undefined;
    if (node === undefined && here) check.open = true;
  }

  #nodeHash(seed: number): string | undefined {
    const { steps, eta } = this.#settings as Settings;
    if (!this.#embedded || this.#known?.steps !== steps || this.#known.eta !== eta) return undefined;
    return this.#known.hashes[seed];
  }

  #verdict(seeds: readonly number[]): [string, string] {
    if (this.#hashes.length === 0)
      return ['Drawn to the end, the pixels of a picture have one SHA-256, everywhere.', ''];
    if (this.#hashes[0] === '') return ['Browsers compute hashes on https and on localhost only.', ''];
    const known = seeds.map((seed) => this.#nodeHash(seed));
    const compared = known.filter((hash) => hash !== undefined).length;
    const equal = known.filter((hash, i) => hash !== undefined && hash === this.#hashes[i]).length;
    if (compared === 0) return ['Node was not asked for these settings beforehand; ask it yourself:', ''];
    if (equal === compared) {
      const all =
        compared === seeds.length
          ? compared === 1
            ? 'The picture'
            : `All ${compared} pictures`
          : `${compared} of ${seeds.length} pictures`;
      const have = all === 'The picture' ? 'has' : 'have';
      const rest = compared === seeds.length ? '' : '; Node was not asked for the others';
      return [`\u2713 ${all} ${have} every bit that Node gave${rest}.`, 'good'];
    }
    if (this.#model?.device === 'webgpu') {
      return [
        `${equal} of ${compared} pictures have Node's bits: WebGPU rounds in another way. Take WebAssembly for all.`,
        '',
      ];
    }
    return [
      `${compared - equal} of ${compared} pictures differ from Node's. This should not be: please report it.`,
      'bad',
    ];
  }

  #snippet(seed: number): string {
    const { steps, eta } = this.#settings as Settings;
    const place = this.#embedded ? '' : `'path/to/${this.#model?.name}'`;
    return `import { createHash } from 'node:crypto';
import { DDIMPipeline, Generator } from 'ddim-wasm';

const pipe = await DDIMPipeline.fromPretrained(${place});
const { images } = await pipe.generate({
  generator: new Generator(${seed}),
  numInferenceSteps: ${steps},
  eta: ${eta},${this.#model?.classes ? '\n  classLabels: 0,' : ''}
});
const hash = createHash('sha256').update(images[0].data);
console.log(hash.digest('hex'));
`;
  }
}

/** A hash in groups of eight, which break over lines as wholes. */
function write(place: HTMLElement, hash: string): void {
  place.replaceChildren(
    ...(hash.match(/.{8}/g) ?? ['\u00a0']).map((part) => {
      const span = document.createElement('span');
      span.textContent = part;
      return span;
    }),
  );
}
