import type { ShownPrediction } from "../state/prediction";
import type { Annotation, ImageInfo } from "../state/types";

/** An image with its annotation and its prediction as they were left. */
export interface LeftImage {
  readonly image: ImageInfo;
  readonly annotation: Annotation;
  readonly prediction: ShownPrediction | null;
}

/** Which image a person saw at a time: the page knows the next one a moment before a frame shows it. */
export class OnScreen {
  #opened_id: number | null = null;
  #left: LeftImage | null = null;
  #shown_at_ms = Infinity;

  /** Another image is open; no frame shows it yet, unless it is the one that is still on screen. */
  changes(opened_id: number, left: LeftImage | null): void {
    // Nobody saw an image that was not shown: the one before it still is on screen.
    if (this.#shown_at_ms !== Infinity) this.#left = left;
    this.#opened_id = opened_id;
    const is_back = this.#left?.image.id === opened_id;
    if (is_back) this.#left = null;
    this.#shown_at_ms = is_back ? -Infinity : Infinity;
  }

  /** A frame shows the open image, from now on. */
  shown(): void {
    if (this.#shown_at_ms === Infinity) this.#shown_at_ms = performance.now();
  }

  /** Whether the open image was on screen at a time. */
  wasShown(at_ms: number): boolean {
    return at_ms >= this.#shown_at_ms;
  }

  /** The image that was still on screen at a time, as `performance.now` and `Event.timeStamp` have it; null: the open one. */
  leftAt(at_ms: number): LeftImage | null {
    return this.wasShown(at_ms) ? null : this.#left;
  }

  /** The image that a person saw at a time; null if none was shown yet. */
  imageAt(at_ms: number): number | null {
    return this.wasShown(at_ms) ? this.#opened_id : (this.#left?.image.id ?? null);
  }

  /** An image that is not the open one, but was still on screen after it was left; null if it is another one. */
  left(image_id: number): LeftImage | null {
    return this.#left?.image.id === image_id ? this.#left : null;
  }
}
