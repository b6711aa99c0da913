import type { ShownPrediction } from "../state/prediction";

const MOST = 24;
const MOST_BYTES = 48_000_000;

interface Kept {
  readonly shown: ShownPrediction;
  readonly is_current: boolean;
}

/** Predictions of images that were open and of those that come next: shown at once, then brought up to date. */
export class PredictionShelf {
  readonly #kept = new Map<number, Kept>();

  get(image_id: number): ShownPrediction | null {
    return this.#kept.get(image_id)?.shown ?? null;
  }

  /** Whether nothing newer is known of. */
  isCurrent(image_id: number): boolean {
    return this.#kept.get(image_id)?.is_current === true;
  }

  put(shown: ShownPrediction, is_current: boolean): void {
    // Last in the map is used last.
    this.#kept.delete(shown.image_id);
    this.#kept.set(shown.image_id, { shown, is_current });
    let bytes = [...this.#kept.values()].reduce((sum, { shown: { maps } }) => sum + sizeOf(maps), 0);
    for (const [image_id, { shown: oldest }] of this.#kept) {
      if ((this.#kept.size <= MOST && bytes <= MOST_BYTES) || image_id === shown.image_id) return;
      this.#kept.delete(image_id);
      bytes -= sizeOf(oldest.maps);
    }
  }

  /** There is a newer one of this image, or of all: what is here is better than nothing until it has come. */
  outdate(image_id: number | null = null): void {
    for (const [id, { shown }] of [...this.#kept]) {
      if (image_id === null || id === image_id) this.#kept.set(id, { shown, is_current: false });
    }
  }

  /** All that is here, changed. */
  change(change: (shown: ShownPrediction) => ShownPrediction): void {
    for (const [id, { shown, is_current }] of [...this.#kept]) this.#kept.set(id, { shown: change(shown), is_current });
  }

  clear(): void {
    this.#kept.clear();
  }
}

function sizeOf(maps: ShownPrediction["maps"]): number {
  return maps.reduce((sum, { map }) => sum + map.values.byteLength, 0);
}
