import type { Annotation } from "../state/types";

/** Images whose newest answer is remembered: a race over more of them does not happen. */
const REMEMBERED = 32;

/** The last answers to changes made here: an answer to a question that was asked before may be older. */
export class NewestAnswers {
  readonly #newest = new Map<number, Annotation>();

  remember(image_id: number, answer: Annotation): void {
    this.#newest.delete(image_id);
    this.#newest.set(image_id, answer);
    const [oldest] = this.#newest.keys();
    if (this.#newest.size > REMEMBERED && oldest !== undefined) this.#newest.delete(oldest);
  }

  /** Of `annotation` and the last answer, the newer one. */
  newer(image_id: number, annotation: Annotation): Annotation {
    const newest = this.#newest.get(image_id);
    return newest !== undefined && newest.revision > annotation.revision ? newest : annotation;
  }

  /** -1 without an answer. */
  revision(image_id: number): number {
    return this.#newest.get(image_id)?.revision ?? -1;
  }
}
