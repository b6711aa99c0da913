import type { Annotation, ImageInfo } from "../state/types";

/** An image with its annotation as it was left. */
export interface LeftImage {
  readonly image: ImageInfo;
  readonly annotation: Annotation;
}

/** Which image a person saw at a time: the page knows the next one a moment before a frame shows it. */
export class OnScreen {
  #left: LeftImage | null = null;
  #shown_at_ms = Infinity;

  /** Another image is open; no frame shows it yet. */
  changes(left: LeftImage | null): void {
    this.#left = left;
    this.#shown_at_ms = Infinity;
  }

  /** A frame shows the open image, from now on. */
  shown(): void {
    if (this.#shown_at_ms === Infinity) this.#shown_at_ms = performance.now();
  }

  /** The image that was still on screen at a time, as `performance.now` and `Event.timeStamp` have it; null: the open one. */
  leftAt(at_ms: number): LeftImage | null {
    return at_ms < this.#shown_at_ms ? this.#left : null;
  }
}
