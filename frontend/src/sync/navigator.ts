import type { Api } from "../api/client";
import { explain, UnreachableError } from "../api/errors";
import type { AnnotationStore } from "../state/annotations";
import { VisitHistory } from "../state/history";
import { Signal, type Readable } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import type { Arrival, ImageInfo, Strategy } from "../state/types";
import { Calm } from "./calm";
import { ImageOpening, type OpenImage } from "./image_opening";
import { findImages, imageToJumpTo } from "./image_search";
import { NextAhead } from "./next_ahead";
import type { OnScreen } from "./on_screen";
import type { PictureCache } from "./picture_cache";
import type { PredictionWatch } from "./prediction_watch";
import { ReadyImages } from "./ready_images";
import type { SaveQueue } from "./save_queue";
import { savesSettled } from "./saves_settled";

/** Which image is open, and the way to others; the likely next one is fetched ahead. */
export class Navigator {
  readonly opened: Signal<OpenImage | null>;
  readonly loading: Signal<boolean>;
  /** How the open image came. */
  readonly arrival: Readable<Arrival>;
  readonly on_screen: OnScreen;
  /** Why there is no image to show, for the empty state. */
  readonly problem = new Signal<string | null>(null);
  readonly strategy = new Signal<Strategy>("sequential");
  /** Next and Previous go through all images in order, labelled or not; the strategy waits. */
  readonly reviewing = new Signal(false);
  /** Counts how often the person went on, and no image was left to go to. */
  readonly ends_reached = new Signal(0);
  readonly visited = new Signal<readonly number[]>([]);
  readonly #history = new VisitHistory();
  #clear_filter: (() => void) | null = null;
  readonly #ready: ReadyImages;
  readonly #opening: ImageOpening;
  readonly #ahead: NextAhead;

  constructor(
    private readonly api: Api,
    annotations: AnnotationStore,
    pictures: PictureCache,
    predictions: PredictionWatch,
    private readonly saves: SaveQueue,
    private readonly toasts: ToastStore,
    calm = new Calm(),
  ) {
    this.#ready = new ReadyImages(api, pictures, predictions);
    this.#opening = new ImageOpening(api, annotations, pictures, predictions, saves, toasts, this.#ready);
    this.opened = this.#opening.opened;
    this.loading = this.#opening.loading;
    this.arrival = this.#opening.arrival;
    this.on_screen = this.#opening.on_screen;
    this.#ahead = new NextAhead(api, this.#ready, predictions, saves, calm, () => {
      const { image, strategy, reviewing } = this;
      if (image === null || this.#history.canGoForward) return null;
      return { image_id: image.id, strategy: strategy.value, reviewing: reviewing.value };
    });
  }

  get image(): ImageInfo | null {
    return this.opened.value?.image ?? null;
  }

  /** When the open image was asked for, as `performance.now` has it. */
  get asked_at_ms(): number {
    return this.#opening.asked_at_ms;
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
    return this.#go(image_id, { kind: "chosen" }, () => this.#history.visit(image_id));
  }

  async next(): Promise<void> {
    if (this.reviewing.value) return this.step(1);
    const { image } = this;
    if (this.#history.canGoForward) {
      const ahead = this.#history.forward();
      if (ahead !== null) await this.#go(ahead, { kind: "back" }, () => undefined);
      return;
    }
    const next_id = this.#ahead.next_id;
    if (next_id !== null) {
      await this.#openByStrategy(next_id, this.strategy.value);
      return;
    }
    const found = await this.#openNextByStrategy(image?.id ?? null, true);
    if (!found) this.#tellNoneLeft();
  }

  async previous(): Promise<void> {
    if (this.reviewing.value) return this.step(-1);
    const behind = this.#history.back();
    if (behind !== null) {
      await this.#go(behind, { kind: "back" }, () => undefined);
      return;
    }
    // Nothing was opened before it, after a reload for example: the order of the images says what comes before.
    await this.#toNeighbour(-1, (image_id) => this.#go(image_id, { kind: "review" }, () => this.#history.precede(image_id)));
  }

  /** To the image after (1) or before (-1) the open one in the order of ids, labelled or not. */
  async step(direction: 1 | -1): Promise<void> {
    await this.#toNeighbour(direction, (image_id) => this.#go(image_id, { kind: "review" }, () => this.#history.visit(image_id)));
  }

  /** As `open`; but to go back there, if it is the image that was open before, is no new visit. */
  async returnTo(image_id: number): Promise<boolean> {
    if (this.#history.behind !== image_id) return this.open(image_id);
    this.#history.back();
    return this.#go(image_id, { kind: "back" }, () => undefined);
  }

  /** The picture in its full size, for looking closer; null if it cannot be had. */
  async detail(image_id: number): Promise<ImageBitmap | null> {
    return this.#opening.picture(image_id, null);
  }

  /** Images to jump to while their id or name is typed. */
  async find(text: string, limit: number): Promise<readonly ImageInfo[]> {
    return findImages(this.api, text, limit);
  }

  /** By id, or else by part of the path or the comment. */
  async jump(text: string): Promise<boolean> {
    if (text.trim() === "") return false;
    try {
      const image_id = await imageToJumpTo(this.api, text);
      if (image_id !== null) return await this.open(image_id);
      this.toasts.show("warning", `No image has “${text.trim()}” as its id, or in its path or comment.`);
    } catch (error) {
      this.toasts.show("error", explain(error), { passing: true });
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

  /** The annotation of an image was changed, here or elsewhere. */
  hearAnnotation(image_id: number, revision: number): void {
    // What is on its way here may be what the server speaks of; if it is refused, what is known of the image goes then.
    if (this.saves.pending(image_id) === null && this.saves.newest(image_id) < revision) this.#ready.hear(image_id, revision);
    this.invalidate(image_id);
  }

  /** What is known of an image no longer holds. */
  forget(image_id: number): void {
    this.#ready.forget(image_id);
  }

  /** What a list would say of the image has changed, such as its comment. */
  change(image_id: number, changes: Partial<ImageInfo>): void {
    this.#opening.change(image_id, changes);
  }

  /** Other images come next and before from now on; null: of all there are. */
  filterChanged(clear: (() => void) | null): void {
    this.#clear_filter = clear;
    this.#history.startAnew();
    this.visited.set([...this.#history.ids]);
    this.invalidate();
  }

  #tellNoneLeft(): void {
    if (this.#clear_filter === null) {
      this.ends_reached.set(this.ends_reached.value + 1);
      this.toasts.show("success", "Every image is labelled or skipped. Shift+→ and Shift+← go through all of them.");
      return;
    }
    this.toasts.show("info", "No other image matches the filter.", { action: { text: "Clear the filter", run: this.#clear_filter } });
  }

  /** What comes next may have changed: an image was labelled, or the head has learned. */
  invalidate(image_id?: number): void {
    this.#ahead.invalidate(image_id);
  }

  /** The head has learned: ask again for the next image, but keep the one at hand until the answer is there. */
  reconsider(): void {
    if (this.strategy.value.startsWith("least_confident")) this.#ahead.lookSoon();
  }

  /** Features were made, or failed: of these images, or of any (null). */
  async hearFeatures(image_ids: readonly number[] | null): Promise<void> {
    await this.#opening.hearFeatures(image_ids);
  }

  /** These images have a new prediction: if the next one is among them, have it at hand. */
  refreshAhead(image_ids: readonly number[]): void {
    this.#ahead.hearPredictions(image_ids);
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
      this.toasts.show("error", explain(error), { passing: true });
    }
  }

  async #openNextByStrategy(current_id: number | null, tell: boolean): Promise<boolean> {
    this.loading.set(true);
    const strategy = this.strategy.value;
    const { request } = this.#opening;
    try {
      await savesSettled(this.saves);
      const image = await this.api.nextImage(strategy, current_id);
      // The person has gone elsewhere meanwhile, by an address for example.
      if (this.#opening.request !== request) return true;
      return image !== null && (await this.#openByStrategy(image.id, strategy));
    } catch (error) {
      const at_hand = error instanceof UnreachableError ? this.#ahead.withoutServer(this.#history.ids) : null;
      if (at_hand !== null) return await this.#openByStrategy(at_hand, strategy);
      if (!tell) throw error;
      this.toasts.show("error", explain(error), { passing: true });
      return true;
    } finally {
      this.loading.set(false);
    }
  }

  async #openByStrategy(image_id: number, strategy: Strategy): Promise<boolean> {
    return this.#go(image_id, { kind: "strategy", strategy }, () => this.#history.visit(image_id));
  }

  async #go(image_id: number, arrival: Arrival, remember: () => void): Promise<boolean> {
    const found = await this.#opening.go(image_id, arrival, () => {
      remember();
      this.#ahead.drop();
      this.problem.set(null);
      this.visited.set([...this.#history.ids]);
    });
    if (found) this.#ahead.lookSoon();
    return found;
  }
}
