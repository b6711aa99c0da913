import { ApiError, UnreachableError } from "../api/errors";
import type { Api } from "../api/client";
import type { ShownPrediction } from "../state/prediction";
import type { Signal } from "../state/signal";
import { loadMaps } from "./map_loader";

/** Long enough that a person who clicks on is not slowed down by it. */
const AFTER_MS = 400;
const MOST_PX = 4_000_000;
const MOST_CLASSES = 4;

/** Replaces the maps of what is shown by those of the size of the picture, once things are quiet. */
export class Refining {
  readonly #api: Api;
  readonly #shown: Signal<ShownPrediction | null>;
  #request: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(api: Api, shown: Signal<ShownPrediction | null>) {
    this.#api = api;
    this.#shown = shown;
  }

  begin(shown: ShownPrediction, image: { readonly width: number | null; readonly height: number | null }): void {
    const { width, height } = image;
    const is_small = width !== null && height !== null && width * height <= MOST_PX;
    if (shown.refined || shown.maps.length === 0 || shown.maps.length > MOST_CLASSES || !is_small) return;
    this.stop();
    this.#timer = setTimeout(() => void this.#refine(shown), AFTER_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#request?.abort();
    this.#request = null;
  }

  async #refine(shown: ShownPrediction): Promise<void> {
    const controller = new AbortController();
    this.#request = controller;
    const class_ids = shown.maps.map(({ class_id }) => class_id);
    try {
      const maps = await loadMaps(this.#api, shown.image_id, class_ids, "image", shown.version, controller.signal);
      if (this.#shown.value === shown) this.#shown.set({ ...shown, maps, refined: true });
    } catch (error) {
      // The grid stays on screen: refinement is a comfort, whatever the reason that it failed.
      const is_expected = error instanceof ApiError || error instanceof UnreachableError || controller.signal.aborted;
      if (!is_expected) throw error;
    }
  }
}
