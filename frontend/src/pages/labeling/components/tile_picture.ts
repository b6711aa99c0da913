/** A tile that is scrolled by sooner asks for no picture. */
const LOAD_AFTER_MS = 100;

type Layer = "picture" | "overlay";

/**
 * A picture, and what lies over it, that is asked for once it has stayed in sight; out of sight, or when another one is to be shown, the request
 * is cancelled. Plain, as many come and go.
 */
export class TilePicture extends HTMLElement {
  static #not_before_ms = 0;
  /** Their tiles were blank when it was time to ask. */
  static readonly #asleep = new Set<TilePicture>();
  readonly #urls: Record<Layer, string> = { picture: "", overlay: "" };
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #images: Partial<Record<Layer, HTMLImageElement>> = {};

  /** Tiles go by quickly: nobody sees their pictures. */
  static wait(): void {
    TilePicture.#not_before_ms = performance.now() + LOAD_AFTER_MS;
  }

  /** Tiles were drawn: those that are blank no longer ask for their pictures. */
  static wake(): void {
    for (const picture of TilePicture.#asleep) if (!picture.#isBlank) picture.#loadSoon(LOAD_AFTER_MS);
  }

  get #isBlank(): boolean {
    return this.closest(".is-blank") !== null;
  }

  set src(src: string) {
    if (src === this.#urls.picture) return;
    this.#urls.picture = src;
    this.#empty("picture", "overlay");
    if (this.isConnected) this.#loadSoon(LOAD_AFTER_MS);
  }

  /** "": nothing lies over the picture. */
  set overlay(src: string) {
    if (src === this.#urls.overlay) return;
    this.#urls.overlay = src;
    // A newer one takes the place of the one before when it is there.
    if (src === "") this.#empty("overlay");
    else if (this.isConnected && this.#timer === null) this.#loadSoon(LOAD_AFTER_MS);
  }

  connectedCallback(): void {
    this.#loadSoon(LOAD_AFTER_MS);
  }

  disconnectedCallback(): void {
    this.#empty("picture", "overlay");
  }

  #empty(...layers: Layer[]): void {
    if (layers.includes("picture")) this.#cancel();
    for (const layer of layers) {
      // Without it the browser goes on loading.
      this.#images[layer]?.removeAttribute("src");
      this.#images[layer]?.classList.remove("is-there");
    }
  }

  #cancel(): void {
    TilePicture.#asleep.delete(this);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #loadSoon(wait_ms: number): void {
    this.#cancel();
    this.#timer = setTimeout(() => this.#load(), wait_ms);
  }

  #load(): void {
    const wait_ms = TilePicture.#not_before_ms - performance.now();
    if (wait_ms > 0) {
      this.#loadSoon(wait_ms + 1);
      return;
    }
    this.#timer = null;
    // A blank tile shows something else before long, or nothing any more.
    if (this.#isBlank) {
      TilePicture.#asleep.add(this);
      return;
    }
    for (const layer of ["picture", "overlay"] as const) {
      const src = this.#urls[layer];
      if (src === "") continue;
      const image = (this.#images[layer] ??= this.#made(layer));
      if (image.getAttribute("src") !== src) image.src = src;
    }
  }

  #made(layer: Layer): HTMLImageElement {
    const image = new Image();
    image.className = `tile-${layer}-image`;
    image.decoding = "async";
    image.alt = "";
    image.draggable = false;
    image.onload = () => image.classList.add("is-there");
    // There is none any more, or not yet: the picture alone.
    image.onerror = () => image.classList.remove("is-there");
    if (layer === "picture") this.prepend(image);
    else this.append(image);
    return image;
  }
}

customElements.define("fewclick-tile-picture", TilePicture);
