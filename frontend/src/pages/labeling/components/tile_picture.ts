/** A tile that is scrolled by sooner asks for no picture. */
const LOAD_AFTER_MS = 100;

type Layer = "picture" | "overlay";

/**
 * A picture, and what lies over it, that is asked for once it has stayed in sight; out of sight, or when another one is to be shown, the request
 * is cancelled. Plain, as many come and go.
 */
export class TilePicture extends HTMLElement {
  static #not_before_ms = 0;
  readonly #urls: Record<Layer, string> = { picture: "", overlay: "" };
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #images: Partial<Record<Layer, HTMLImageElement>> = {};

  /** Tiles go by quickly: nobody sees their pictures. */
  static wait(): void {
    TilePicture.#not_before_ms = performance.now() + LOAD_AFTER_MS;
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
    if (layers.includes("picture") && this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#timer = null;
    }
    for (const layer of layers) {
      // Without it the browser goes on loading.
      this.#images[layer]?.removeAttribute("src");
      this.#images[layer]?.classList.remove("is-there");
    }
  }

  #loadSoon(wait_ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), wait_ms);
  }

  #load(): void {
    const wait_ms = TilePicture.#not_before_ms - performance.now();
    // A blank tile shows something else before long.
    if (wait_ms > 0 || this.closest(".is-blank") !== null) {
      this.#loadSoon(Math.max(wait_ms, 0) + 1 + (wait_ms > 0 ? 0 : LOAD_AFTER_MS));
      return;
    }
    this.#timer = null;
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
