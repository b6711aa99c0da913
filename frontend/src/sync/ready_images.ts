import type { Api } from "../api/client";
import type { Annotation, ImageInfo } from "../state/types";
import { SCREEN_SIDE_PX, type PictureCache } from "./picture_cache";
import type { PredictionWatch } from "./prediction_watch";

const MOST_IMAGES = 32;
/** Of what was fetched this long ago, something may have been missed: it is shown, and looked after. */
const FRESH_MS = 5_000;

export interface KnownImage {
  readonly image: ImageInfo;
  readonly annotation: Annotation;
}

interface Kept extends KnownImage {
  readonly at_ms: number;
}

/** Images that can be drawn in this very frame: those visited last, and those that come next. */
export class ReadyImages {
  readonly #kept = new Map<number, Kept>();

  constructor(
    private readonly api: Api,
    private readonly pictures: PictureCache,
    private readonly predictions: PredictionWatch,
  ) {}

  /** null unless everything is at hand. */
  get(image_id: number): (KnownImage & { readonly bitmap: ImageBitmap; readonly is_fresh: boolean }) | null {
    const kept = this.#kept.get(image_id);
    const bitmap = this.pictures.peek(image_id);
    if (kept === undefined || bitmap === null) return null;
    const is_fresh = Date.now() - kept.at_ms < FRESH_MS && kept.image.features === "ready";
    return { image: kept.image, annotation: kept.annotation, bitmap, is_fresh };
  }

  keep(image: ImageInfo, annotation: Annotation): void {
    this.#kept.delete(image.id);
    this.#kept.set(image.id, { image, annotation, at_ms: Date.now() });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_IMAGES && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** Something else is known of the image now. */
  change(image_id: number, changes: Partial<ImageInfo>): void {
    const kept = this.#kept.get(image_id);
    if (kept) this.#kept.set(image_id, { ...kept, image: { ...kept.image, ...changes } });
  }

  forget(image_id: number): void {
    this.#kept.delete(image_id);
  }

  /** The annotation was changed elsewhere. */
  hear(image_id: number, revision: number): void {
    const known = this.#kept.get(image_id)?.annotation.revision;
    if (known !== undefined && known < revision) this.forget(image_id);
  }

  /** Have everything of an image at hand before it is opened, without getting in the way of what is. */
  async prepare(image: ImageInfo): Promise<void> {
    const kept = this.#kept.get(image.id);
    const is_known = kept !== undefined && Date.now() - kept.at_ms < FRESH_MS;
    const [annotation] = await Promise.all([
      is_known ? kept.annotation : this.api.annotation(image.id),
      this.pictures.load(image.id, SCREEN_SIDE_PX, "low"),
      image.uncertainty === null ? null : this.predictions.prefetch(image.id),
    ]);
    this.keep(image, annotation);
  }

  /** All that a later opening needs the longest for. */
  async preparePicture(image_id: number): Promise<void> {
    await this.pictures.load(image_id, SCREEN_SIDE_PX, "low");
  }
}
