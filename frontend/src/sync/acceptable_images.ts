import type { Api, ImageQuery } from "../api/client";
import { explain } from "../api/errors";
import { MOST_SELECTED } from "../state/selection";
import { Signal } from "../state/signal";
import type { GallerySource } from "./gallery_source";
import { throttled } from "./polling";

const COUNT_EVERY_MS = 400;

/** What of a list can be accepted. */
export interface Acceptable {
  /** Empty where there are more than one change takes, and where it is not known. */
  readonly ids: readonly number[];
  /** null where it is not known. */
  readonly total: number | null;
  /** Why it is not known. */
  readonly refusal?: string;
}

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
    private readonly list: Pick<GallerySource, "listed" | "outdated" | "is_whole" | "state" | "complete">,
  ) {}

  show(query: ImageQuery): void {
    this.#query = query;
    this.total.set(null);
    this.countSoon();
  }

  /** Those of the list; where there are more than `limit`, what one change takes, only how many. */
  async find(limit: number): Promise<Acceptable> {
    if (!this.#any) return { ids: [], total: 0 };
    if (this.list.state.value.loading) return refused("The list is still loading: nothing was accepted. Accept once it is there.");
    const query = this.#query;
    // A prediction that has moved since does not take an image out of sight.
    const { shown_class_id, predicted_class_id, min_confidence, max_confidence, ...lasting } = query;
    const moves = [shown_class_id, predicted_class_id, min_confidence, max_confidence].some((value) => value !== undefined);
    let found = await this.api.imageIds({ ...lasting, status: "unlabeled" }, 0, limit);
    if (moves && found.total > limit) found = await this.api.imageIds({ ...query, status: "unlabeled" }, 0, limit);
    if (found.total > limit) return { ids: [], total: found.total };
    const is_whole = await this.list.complete();
    if (query !== this.#query) return refused("Another list was asked for meanwhile: nothing was accepted.");
    if (!is_whole) return refused("Not all of the list could be loaded: nothing was accepted. Refresh the list, then accept.");
    const ids = found.ids.filter((image_id) => this.list.listed.value.has(image_id));
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
      const total = await this.#newTotal();
      if (query === this.#query) this.total.set(total);
    } catch (error) {
      // The button then names no number.
      explain(error);
    }
  }

  /** What has come or gone since the list was asked for is known by its ids alone; they are not fetched for a number. */
  async #newTotal(): Promise<number | null> {
    const is_outdated = this.list.outdated.value;
    if (this.#any && is_outdated && !this.list.is_whole) return null;
    if (!this.#any || is_outdated) return (await this.find(MOST_SELECTED)).total;
    return (await this.api.imageIds({ ...this.#query, status: "unlabeled" }, 0, 1)).total;
  }
}

function refused(refusal: string): Acceptable {
  return { ids: [], total: null, refusal };
}
