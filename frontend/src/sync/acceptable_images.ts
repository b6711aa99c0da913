import type { Api, ImageQuery } from "../api/client";
import { explain } from "../api/errors";
import { Signal } from "../state/signal";
import { throttled } from "./polling";

const COUNT_EVERY_MS = 400;

/** Of the images that the gallery shows those without an answer: only their predictions can be accepted. */
export class AcceptableImages {
  /** null until they are counted. */
  readonly total = new Signal<number | null>(null);
  #query: ImageQuery = {};
  readonly countSoon: () => void = throttled(() => this.#count(), COUNT_EVERY_MS);

  constructor(private readonly api: Pick<Api, "imageIds">) {}

  show(query: ImageQuery): void {
    this.#query = query;
    this.total.set(null);
    this.countSoon();
  }

  /** As many of them as one change takes, with how many there are by now. */
  async find(limit: number): Promise<{ readonly ids: readonly number[]; readonly total: number }> {
    const { status = "unlabeled", features } = this.#query;
    // The filter lets none of them pass.
    if (status !== "unlabeled" || features === "failed") return { ids: [], total: 0 };
    return this.api.imageIds({ ...this.#query, status: "unlabeled" }, 0, limit);
  }

  async #count(): Promise<void> {
    const query = this.#query;
    try {
      const { total } = await this.find(1);
      if (query === this.#query) this.total.set(total);
    } catch (error) {
      // The button then names no number.
      explain(error);
    }
  }
}
