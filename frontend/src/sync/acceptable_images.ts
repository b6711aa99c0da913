import type { Api, ImageQuery } from "../api/client";
import { explain } from "../api/errors";
import { MOST_SELECTED } from "../state/selection";
import { Signal } from "../state/signal";
import type { GallerySource } from "./gallery_source";
import { throttled } from "./polling";

const COUNT_EVERY_MS = 400;

/**
 * Of the images that the gallery shows those without an answer: only their predictions can be accepted. The list stands
 * still while labels and predictions come: what matches by now but is not in it counts for nothing.
 */
export class AcceptableImages {
  /** null until they are counted. */
  readonly total = new Signal<number | null>(null);
  #query: ImageQuery = {};
  readonly countSoon: () => void = throttled(() => this.#count(), COUNT_EVERY_MS);

  constructor(
    private readonly api: Pick<Api, "imageIds">,
    private readonly list: Pick<GallerySource, "listed" | "outdated" | "is_whole">,
  ) {}

  show(query: ImageQuery): void {
    this.#query = query;
    this.total.set(null);
    this.countSoon();
  }

  /** Those of the list; where there are more than `limit`, what one change takes, only how many. */
  async find(limit: number): Promise<{ readonly ids: readonly number[]; readonly total: number }> {
    if (!this.#any) return { ids: [], total: 0 };
    // A prediction that has moved since does not take an image out of sight.
    const { shown_class_id, predicted_class_id, min_confidence, max_confidence, ...lasting } = this.#query;
    const moves = [shown_class_id, predicted_class_id, min_confidence, max_confidence].some((value) => value !== undefined);
    let found = await this.api.imageIds({ ...lasting, status: "unlabeled" }, 0, limit);
    if (moves && found.total > limit) found = await this.api.imageIds({ ...this.#query, status: "unlabeled" }, 0, limit);
    if (found.total > limit) return { ids: [], total: found.total };
    // Of a list that is not all here, the rest was never in sight: the person is asked about those.
    const ids = this.list.is_whole ? found.ids.filter((image_id) => this.list.listed.value.has(image_id)) : found.ids;
    return { ids, total: ids.length };
  }

  /** Whether the filter lets any of them pass. */
  get #any(): boolean {
    const { status = "unlabeled", features } = this.#query;
    return status === "unlabeled" && features !== "failed";
  }

  async #count(): Promise<void> {
    const query = this.#query;
    try {
      const { total } = await this.#newTotal();
      if (query === this.#query) this.total.set(total);
    } catch (error) {
      // The button then names no number.
      explain(error);
    }
  }

  /** What has come or gone since the list was asked for is known by its ids alone. */
  async #newTotal(): Promise<{ readonly total: number }> {
    if (!this.#any || (this.list.is_whole && this.list.outdated.value)) return this.find(MOST_SELECTED);
    return this.api.imageIds({ ...this.#query, status: "unlabeled" }, 0, 1);
  }
}
