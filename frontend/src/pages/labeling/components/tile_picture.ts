/** A tile that is scrolled by sooner asks for no picture. */
const LOAD_AFTER_MS = 100;

/**
 * A picture that is asked for once it has stayed in sight; out of sight, or when another one is to be shown, the request
 * is cancelled. Plain, as many come and go.
 */
export class TilePicture extends HTMLElement {
  static #not_before_ms = 0;
  #src = "";
  #timer: ReturnType<typeof setTimeout> | null = null;
  #image: HTMLImageElement | null = null;

  /** Tiles go by quickly: nobody sees their pictures. */
  static wait(): void {
    TilePicture.#not_before_ms = performance.now() + LOAD_AFTER_MS;
  }

  set src(src: string) {
    if (src === this.#src) return;
    this.#src = src;
    this.#empty();
    if (this.isConnected) this.#loadSoon(LOAD_AFTER_MS);
  }

  get src(): string {
    return this.#src;
  }

  connectedCallback(): void {
    this.#loadSoon(LOAD_AFTER_MS);
  }

  disconnectedCallback(): void {
    this.#empty();
  }

  #empty(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    // Without it the browser goes on loading.
    this.#image?.removeAttribute("src");
    this.#image?.classList.remove("is-there");
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
    this.#image ??= this.#made();
    this.#image.src = this.#src;
  }

  #made(): HTMLImageElement {
    const image = new Image();
    image.decoding = "async";
    image.alt = "";
    image.draggable = false;
    image.onload = () => image.classList.add("is-there");
    this.append(image);
    return image;
  }
}

customElements.define("fewclick-tile-picture", TilePicture);
