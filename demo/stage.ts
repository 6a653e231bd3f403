// The pictures, and the strip of moments of the one that is looked at.
import type { Film } from './film.js';
import { splitImages } from './pixels.js';
import type { Model } from './protocol.js';

export type View = 'guess' | 'noisy';

const MOMENTS = 8;

export class Stage {
  readonly #pictures: HTMLElement;
  readonly #strip: HTMLElement;
  #canvases: HTMLCanvasElement[] = [];
  #shape: Pick<Model, 'width' | 'height' | 'channels'> = { width: 1, height: 1, channels: 1 };
  #selected = 0;

  constructor(pictures: HTMLElement, strip: HTMLElement, onSelect: () => void) {
    this.#pictures = pictures;
    this.#strip = strip;
    strip.replaceChildren(...Array.from({ length: MOMENTS }, () => document.createElement('canvas')));
    pictures.addEventListener('change', (event) => {
      this.#selected = Number((event.target as HTMLInputElement).value);
      onSelect();
    });
    new ResizeObserver(() => this.#fit()).observe(pictures);
  }

  /** Which picture is looked at. */
  get selected(): number {
    return this.#selected;
  }

  /** Makes room for one picture for each seed. */
  prepare(seeds: readonly number[], shape: Pick<Model, 'width' | 'height' | 'channels'>): void {
    this.#shape = shape;
    this.#selected = Math.min(this.#selected, seeds.length - 1);
    const labels = [...this.#pictures.querySelectorAll<HTMLLabelElement>('.picture')];
    while (labels.length > seeds.length) labels.pop()?.remove();
    while (labels.length < seeds.length) {
      const label = document.createElement('label');
      label.className = 'picture';
      const radio = document.createElement('input');
      Object.assign(radio, { type: 'radio', name: 'picture', className: 'hidden', value: String(labels.length) });
      label.append(radio, document.createElement('canvas'));
      this.#pictures.append(label);
      labels.push(label);
    }
    this.#canvases = labels.map((label, i) => {
      const [radio, canvas] = label.children as unknown as [HTMLInputElement, HTMLCanvasElement];
      radio.checked = i === this.#selected;
      radio.setAttribute('aria-label', `Picture of seed ${seeds[i]}`);
      label.title = `Seed ${seeds[i]}`;
      return canvas;
    });
    this.#fit();
  }

  /** Shows a moment of the film. */
  show(film: Film, step: number, view: View): void {
    const images = this.#images(film.at(step)[view]);
    for (const [i, canvas] of this.#canvases.entries()) images[i]?.draw(canvas);
  }

  /** Shows the film of the picture that is looked at, as far as it goes. */
  showStrip(film: Film, view: View): void {
    for (const [i, canvas] of [...this.#strip.children].entries()) {
      const step = Math.round((i * film.steps) / (MOMENTS - 1));
      const [image] = this.#images(film.at(step)[view], this.#selected);
      image?.draw(canvas as HTMLCanvasElement);
      // A canvas that is given a width is empty.
      if (step > film.length) (canvas as HTMLCanvasElement).width = this.#shape.width;
    }
  }

  #images(pixels: Uint8Array, only?: number) {
    const { width, height, channels } = this.#shape;
    const size = width * height * channels;
    const part = only === undefined ? pixels : pixels.subarray(only * size, (only + 1) * size);
    return splitImages(part, width, height, channels);
  }

  /** Every pixel of a picture as the same whole number of the screen's pixels. */
  #fit(): void {
    const count = this.#canvases.length;
    if (count === 0) return;
    const columns = Math.ceil(Math.sqrt(count));
    const gap = columns > 4 ? 4 : 6;
    const room = (this.#pictures.clientWidth - gap * (columns - 1)) / columns;
    const { width } = this.#shape;
    const scale = (room * devicePixelRatio) / width;
    const cell = (width * (scale < 1 ? scale : Math.floor(scale))) / devicePixelRatio;
    const sheet = columns * cell + (columns - 1) * gap;
    const { style } = this.#pictures.parentElement as HTMLElement;
    for (const [name, value] of Object.entries({ cell, gap, sheet })) style.setProperty(`--${name}`, `${value}px`);
    style.setProperty('--columns', String(columns));
  }
}
