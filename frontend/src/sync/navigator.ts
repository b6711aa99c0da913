import type { Api } from "../api/client";
import { explain } from "../api/errors";
import type { AnnotationStore } from "../state/annotations";
import { VisitHistory } from "../state/history";
import { Signal } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import type { Annotation, ImageInfo, Strategy } from "../state/types";
import { SCREEN_SIDE_PX, type PictureCache } from "./picture_cache";
import type { PredictionWatch } from "./prediction_watch";
import type { SaveQueue } from "./save_queue";

/** An image ready to be shown. `bitmap` is null when its file cannot be read. */
export interface OpenImage {
  readonly image: ImageInfo;
  readonly bitmap: ImageBitmap | null;
}

interface Candidate {
  readonly image: ImageInfo;
  readonly annotation: Annotation;
  readonly after_id: number;
  readonly strategy: Strategy;
}

const PREFETCH_AFTER_MS = 120;
/** Clicks follow each other: only the prediction after the last of them is worth fetching. */
const PREDICTION_AHEAD_AFTER_MS = 350;
/** A save that hangs must not hold up the way to the next image for longer. */
const WAIT_FOR_SAVES_MS = 1_500;

/** Which image is open, and the way to others; the likely next one is fetched ahead. */
export class Navigator {
  readonly opened = new Signal<OpenImage | null>(null);
  readonly loading = new Signal(false);
  /** Why there is no image to show, for the empty state. */
  readonly problem = new Signal<string | null>(null);
  readonly strategy = new Signal<Strategy>("sequential");
  /** Next and Previous go through all images in order, labelled or not; the strategy waits. */
  readonly reviewing = new Signal(false);
  readonly visited = new Signal<readonly number[]>([]);
  readonly #history = new VisitHistory();
  #token = 0;
  #candidate: Candidate | null = null;
  #ahead_timer: ReturnType<typeof setTimeout> | null = null;
  #prefetch_timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly api: Api,
    private readonly annotations: AnnotationStore,
    private readonly pictures: PictureCache,
    private readonly predictions: PredictionWatch,
    private readonly saves: SaveQueue,
    private readonly toasts: ToastStore,
  ) {}

  get image(): ImageInfo | null {
    return this.opened.value?.image ?? null;
  }

  /** Open `image_id`, or what the strategy says, or the first there is. */
  async start(image_id: number | null): Promise<void> {
    if (image_id !== null && (await this.open(image_id))) return;
    if (await this.#openNextByStrategy(null, false)) return;
    const { items } = await this.api.images({ limit: 1 });
    const first = items[0];
    if (first) await this.open(first.id);
    else this.problem.set("This session has no images yet. Run init_session.py with a folder that holds some.");
  }

  /** False when there is no such image; the person has been told. */
  async open(image_id: number): Promise<boolean> {
    return this.#go(image_id, () => this.#history.visit(image_id));
  }

  async next(): Promise<void> {
    if (this.reviewing.value) return this.step(1);
    const { image } = this;
    if (this.#history.canGoForward) {
      const ahead = this.#history.forward();
      if (ahead !== null) await this.#go(ahead, () => undefined);
      return;
    }
    const candidate = this.#candidate;
    if (image && candidate?.after_id === image.id && candidate.strategy === this.strategy.value) {
      await this.#go(candidate.image.id, () => this.#history.visit(candidate.image.id), candidate);
      return;
    }
    const found = await this.#openNextByStrategy(image?.id ?? null, true);
    if (!found) this.toasts.show("success", "Every image is labelled or skipped. Shift+→ and Shift+← go through all of them.");
  }

  async previous(): Promise<void> {
    if (this.reviewing.value) return this.step(-1);
    const behind = this.#history.back();
    if (behind !== null) {
      await this.#go(behind, () => undefined);
      return;
    }
    // Nothing was opened before it, after a reload for example: the order of the images says what comes before.
    await this.#toNeighbour(-1, (image_id) => this.#go(image_id, () => this.#history.precede(image_id)));
  }

  /** To the image after (1) or before (-1) the open one in the order of ids, labelled or not. */
  async step(direction: 1 | -1): Promise<void> {
    await this.#toNeighbour(direction, (image_id) => this.open(image_id));
  }

  /** As `open`; but to go back there, if it is the image that was open before, is no new visit. */
  async returnTo(image_id: number): Promise<boolean> {
    if (this.#history.behind !== image_id) return this.open(image_id);
    this.#history.back();
    return this.#go(image_id, () => undefined);
  }

  /** The picture in its full size, for looking closer; null if it cannot be had. */
  async detail(image_id: number): Promise<ImageBitmap | null> {
    return this.#picture(image_id, null);
  }

  /** By id, or else by part of the path. */
  async jump(text: string): Promise<boolean> {
    const wanted = text.trim();
    if (wanted === "") return false;
    try {
      if (/^#?\d+$/.test(wanted)) return await this.open((await this.api.image(Number(wanted.replace("#", "")))).id);
      const { items } = await this.api.images({ q: wanted, limit: 1, sort: "path" });
      const first = items[0];
      if (first) return await this.open(first.id);
      this.toasts.show("warning", `No image's path contains “${wanted}”.`);
    } catch (error) {
      this.toasts.show("error", explain(error));
    }
    return false;
  }

  async setStrategy(strategy: Strategy): Promise<void> {
    const before = this.strategy.value;
    this.strategy.set(strategy);
    this.invalidate();
    try {
      await this.api.setStrategy(strategy);
    } catch (error) {
      this.strategy.set(before);
      this.toasts.show("error", `The strategy was not changed: ${explain(error)}`);
    }
  }

  /** What comes next may have changed: an image was labelled, or the head has learned. */
  invalidate(image_id?: number): void {
    if (image_id !== undefined && image_id !== this.#candidate?.image.id) return;
    this.#candidate = null;
    this.#prefetchSoon();
  }

  /** The head has learned: ask again for the next image, but keep the one at hand until the answer is there. */
  reconsider(): void {
    if (this.strategy.value.startsWith("least_confident")) this.#prefetchSoon();
  }

  /** Features were made, or failed: of these images, or of any (null). */
  async hearFeatures(image_ids: readonly number[] | null): Promise<void> {
    const { image } = this;
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

  /** These images have a new prediction: if the next one is among them, have it at hand. */
  refreshAhead(image_ids: readonly number[]): void {
    const ahead_id = this.#candidate?.image.id;
    if (ahead_id === undefined || !image_ids.includes(ahead_id)) return;
    if (this.#ahead_timer !== null) clearTimeout(this.#ahead_timer);
    this.#ahead_timer = setTimeout(() => void this.predictions.prefetch(ahead_id), PREDICTION_AHEAD_AFTER_MS);
  }

  async #toNeighbour(direction: 1 | -1, go: (image_id: number) => Promise<boolean>): Promise<void> {
    const { image } = this;
    if (image === null) return;
    try {
      const { previous_id, next_id } = await this.api.image(image.id);
      const wanted = direction === 1 ? next_id : previous_id;
      if (image.id !== this.image?.id) return;
      if (wanted === null) this.toasts.show("info", direction === 1 ? "This is the last image." : "This is the first image.");
      else await go(wanted);
    } catch (error) {
      this.toasts.show("error", explain(error));
    }
  }

  async #openNextByStrategy(current_id: number | null, tell: boolean): Promise<boolean> {
    this.loading.set(true);
    try {
      await this.#savesSettled();
      const image = await this.api.nextImage(this.strategy.value, current_id);
      return image !== null && (await this.open(image.id));
    } catch (error) {
      if (!tell) throw error;
      this.toasts.show("error", explain(error));
      return true;
    } finally {
      this.loading.set(false);
    }
  }

  async #go(image_id: number, remember: () => void, known: Candidate | null = null): Promise<boolean> {
    const token = ++this.#token;
    try {
      if (known !== null && this.pictures.peek(image_id) !== null) {
        this.#show(known.image, known.annotation, this.pictures.peek(image_id), remember);
        return true;
      }
      this.loading.set(true);
      const [image, annotation, bitmap] = await Promise.all([
        this.api.image(image_id),
        this.#annotationAfterSaves(image_id),
        this.#picture(image_id),
      ]);
      if (token === this.#token) this.#show(image, annotation, bitmap, remember);
      return true;
    } catch (error) {
      if (token === this.#token) this.toasts.show("error", explain(error));
      return false;
    } finally {
      if (token === this.#token) this.loading.set(false);
    }
  }

  /** What is on its way to the server belongs to the answer; while it cannot be reached, the draft is shown above it. */
  async #annotationAfterSaves(image_id: number): Promise<Annotation> {
    await this.#savesSettled(image_id);
    return this.api.annotation(image_id);
  }

  #show(image: ImageInfo, fetched: Annotation, bitmap: ImageBitmap | null, remember: () => void): void {
    // Something may have been acknowledged since it was asked for.
    const annotation = this.saves.newer(image.id, fetched);
    remember();
    this.#candidate = null;
    this.problem.set(null);
    this.visited.set([...this.#history.ids]);
    this.annotations.open(image.id, annotation);
    const unsaved = this.saves.pending(image.id);
    if (unsaved !== null) this.annotations.reapply(unsaved);
    this.predictions.open(image, annotation.revision);
    this.opened.set({ image, bitmap });
    this.#prefetchSoon();
  }

  /** null if the file cannot be read: the page then says so in its place. */
  async #picture(image_id: number, max_side: number | null = SCREEN_SIDE_PX): Promise<ImageBitmap | null> {
    try {
      return await this.pictures.load(image_id, max_side);
    } catch (error) {
      if (error instanceof DOMException) return null;
      explain(error);
      return null;
    }
  }

  #prefetchSoon(): void {
    if (this.#prefetch_timer !== null) clearTimeout(this.#prefetch_timer);
    this.#prefetch_timer = setTimeout(() => void this.#prefetch(), PREFETCH_AFTER_MS);
  }

  async #prefetch(): Promise<void> {
    const { image } = this;
    if (image === null || this.#history.canGoForward) return;
    const strategy = this.strategy.value;
    try {
      await this.#savesSettled();
      const next = await this.api.nextImage(strategy, image.id);
      if (next === null || image.id !== this.image?.id || this.saves.pending(next.id) !== null) return;
      const [annotation] = await Promise.all([
        this.api.annotation(next.id),
        this.pictures.load(next.id, SCREEN_SIDE_PX, "low"),
        next.uncertainty === null ? null : this.predictions.prefetch(next.id),
      ]);
      if (image.id === this.image.id) this.#candidate = { image: next, annotation, after_id: image.id, strategy };
    } catch (error) {
      // Only a convenience: the way to the next image says what is wrong when it is taken.
      if (!(error instanceof DOMException)) explain(error);
    }
  }

  async #savesSettled(image_id?: number): Promise<void> {
    if (this.saves.status.value === "offline") return;
    // Whatever was refused has been told; it is settled too.
    const settled = this.saves.settled(image_id).catch(() => undefined);
    await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, WAIT_FOR_SAVES_MS))]);
  }
}
