import type { Api } from "../api/client";
import { explain } from "../api/errors";
import type { AnnotationStore } from "../state/annotations";
import { Signal } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import type { Annotation, Arrival, ImageInfo } from "../state/types";
import { OnScreen, type LeftImage } from "./on_screen";
import { SCREEN_SIDE_PX, type PictureCache } from "./picture_cache";
import type { PredictionWatch } from "./prediction_watch";
import type { ReadyImages } from "./ready_images";
import type { SaveQueue } from "./save_queue";
import { savesSettled } from "./saves_settled";

/** An image ready to be shown. `bitmap` is null when its file cannot be read. */
export interface OpenImage {
  readonly image: ImageInfo;
  readonly bitmap: ImageBitmap | null;
}

/** Brings an image on screen, in the same moment where all of it is at hand, and keeps what is known of it up to date. */
export class ImageOpening {
  readonly opened = new Signal<OpenImage | null>(null);
  readonly loading = new Signal(false);
  /** How the open image came. */
  readonly arrival = new Signal<Arrival>({ kind: "chosen" });
  readonly on_screen = new OnScreen();
  /** When the open image was asked for, as `performance.now` has it. */
  asked_at_ms = 0;
  #token = 0;

  constructor(
    private readonly api: Api,
    private readonly annotations: AnnotationStore,
    private readonly pictures: PictureCache,
    private readonly predictions: PredictionWatch,
    private readonly saves: SaveQueue,
    private readonly toasts: ToastStore,
    private readonly ready: ReadyImages,
  ) {}

  /** Another one for each image that is asked for. */
  get request(): number {
    return this.#token;
  }

  /**
   * `remember` is called when the image comes on screen: not if the person has gone elsewhere meanwhile. False when
   * there is no such image; the person has been told.
   */
  async go(image_id: number, arrival: Arrival, remember: () => void): Promise<boolean> {
    const token = ++this.#token;
    this.asked_at_ms = performance.now();
    const arrive = (image: ImageInfo, annotation: Annotation, bitmap: ImageBitmap | null): void => {
      remember();
      this.arrival.set(arrival);
      this.#show(image, annotation, bitmap);
    };
    const ready = this.ready.get(image_id);
    if (ready !== null) {
      arrive(ready.image, ready.annotation, ready.bitmap);
      this.loading.set(false);
      if (!ready.is_fresh) void this.#bringUpToDate(image_id);
      return true;
    }
    try {
      this.loading.set(true);
      const [image, annotation, bitmap] = await Promise.all([
        this.api.image(image_id),
        this.#annotationAfterSaves(image_id),
        this.picture(image_id),
      ]);
      if (token === this.#token) arrive(image, annotation, bitmap);
      return true;
    } catch (error) {
      if (token === this.#token) this.toasts.show("error", explain(error), { passing: true });
      return false;
    } finally {
      if (token === this.#token) this.loading.set(false);
    }
  }

  /** What a list would say of the image has changed, such as its comment. */
  change(image_id: number, changes: Partial<ImageInfo>): void {
    this.ready.change(image_id, changes);
    const opened = this.opened.value;
    if (opened?.image.id === image_id) this.opened.set({ ...opened, image: { ...opened.image, ...changes } });
  }

  /** Features were made, or failed: of these images, or of any (null). */
  async hearFeatures(image_ids: readonly number[] | null): Promise<void> {
    const image = this.opened.value?.image;
    if (image?.features !== "pending" || image_ids?.includes(image.id) === false) return;
    try {
      const fetched = await this.api.image(image.id);
      const opened = this.opened.value;
      if (opened?.image.id !== fetched.id) return;
      this.opened.set({ ...opened, image: fetched });
      this.predictions.refresh();
    } catch (error) {
      // The next opening of the image shows it.
      explain(error);
    }
  }

  /** null if the file cannot be read: the page then says so in its place. */
  async picture(image_id: number, max_side: number | null = SCREEN_SIDE_PX): Promise<ImageBitmap | null> {
    try {
      return await this.pictures.load(image_id, max_side);
    } catch (error) {
      if (error instanceof DOMException) return null;
      explain(error);
      return null;
    }
  }

  /** What was at hand is on screen; something of it may have changed since. */
  async #bringUpToDate(image_id: number): Promise<void> {
    try {
      const [image, annotation] = await Promise.all([this.api.image(image_id), this.#annotationAfterSaves(image_id)]);
      const opened = this.opened.value;
      if (opened?.image.id !== image_id) return;
      this.opened.set({ ...opened, image });
      if (this.saves.pending(image_id) !== null) return;
      const newest = this.saves.newer(image_id, annotation);
      this.annotations.receive(image_id, newest);
      this.predictions.expect(image_id, newest.revision);
    } catch (error) {
      // What is on screen stays; a change made to it names the revision that it was made on.
      explain(error);
    }
  }

  /** What is on its way to the server belongs to the answer; while it cannot be reached, the draft is shown above it. */
  async #annotationAfterSaves(image_id: number): Promise<Annotation> {
    await savesSettled(this.saves, image_id);
    return this.api.annotation(image_id);
  }

  #asLeft(image: ImageInfo): LeftImage {
    const prediction = this.predictions.shown.value;
    return { image, annotation: this.annotations.current.value, prediction: prediction?.image_id === image.id ? prediction : null };
  }

  #show(image: ImageInfo, fetched: Annotation, bitmap: ImageBitmap | null): void {
    // Something may have been acknowledged since it was asked for.
    const annotation = this.saves.newer(image.id, fetched);
    const left = this.opened.value?.image;
    const kept = left?.id === this.annotations.image_id.value ? left : undefined;
    if (kept) this.ready.keep(kept, this.annotations.current.value);
    if (left?.id !== image.id) this.on_screen.changes(image.id, kept ? this.#asLeft(kept) : null);
    this.annotations.open(image.id, annotation);
    const unsaved = this.saves.pending(image.id);
    if (unsaved !== null) this.annotations.reapply(unsaved, this.saves.reach(image.id));
    this.predictions.open(image, annotation.revision);
    this.opened.set({ image, bitmap });
  }
}
