import type { Api } from "../api/client";
import { explain } from "../api/errors";
import type { ImageInfo, Strategy } from "../state/types";
import type { Calm } from "./calm";
import { SCREEN_SIDE_PX } from "./picture_cache";
import type { PredictionWatch } from "./prediction_watch";
import type { ReadyImages } from "./ready_images";
import type { SaveQueue } from "./save_queue";
import { savesSettled } from "./saves_settled";

/** Where the person is; what comes next depends on nothing else here. */
interface Place {
  readonly image_id: number;
  readonly strategy: Strategy;
  /** All images in order; the strategy waits. */
  readonly reviewing: boolean;
}

interface Candidate {
  readonly image_id: number;
  readonly at: Place;
}

const LOOK_AFTER_MS = 40;
/** Clicks follow each other: only the prediction after the last of them is worth fetching. */
const PREDICTION_AFTER_MS = 350;
/** Images fetched ahead, the next one included. */
const AHEAD = 4;
/** Of all that is fetched ahead: less than the pictures that are kept. */
const AHEAD_MOST_PIXELS = 32_000_000;

/** Has the next image, and some that are likely to follow, at hand while the person works on the open one. */
export class NextAhead {
  #candidate: Candidate | null = null;
  /** What was likely to come when the server said so last. */
  #upcoming_ids: readonly number[] = [];
  #token = 0;
  #look_timer: ReturnType<typeof setTimeout> | null = null;
  #prediction_timer: ReturnType<typeof setTimeout> | null = null;

  /** `place`: null while nothing is to be fetched. */
  constructor(
    private readonly api: Api,
    private readonly ready: ReadyImages,
    private readonly predictions: PredictionWatch,
    private readonly saves: SaveQueue,
    private readonly calm: Calm,
    private readonly place: () => Place | null,
  ) {}

  /** The next image by the strategy, if it is known already. */
  get next_id(): number | null {
    const here = this.place();
    if (this.#candidate === null || here === null) return null;
    const { at, image_id } = this.#candidate;
    return at.image_id === here.image_id && at.strategy === here.strategy ? image_id : null;
  }

  drop(): void {
    this.#candidate = null;
  }

  /** An image that is at hand without a server, and is none of `others`. */
  withoutServer(others: readonly number[]): number | null {
    return this.#upcoming_ids.find((id) => !others.includes(id) && this.ready.get(id) !== null) ?? null;
  }

  /** What was known of the next image does not hold, if it is this one, or whichever it is. */
  invalidate(image_id?: number): void {
    if (image_id !== undefined && image_id !== this.#candidate?.image_id) return;
    this.drop();
    this.lookSoon();
  }

  hearPredictions(image_ids: readonly number[]): void {
    const next_id = this.#candidate?.image_id;
    if (next_id === undefined || !image_ids.includes(next_id)) return;
    if (this.#prediction_timer !== null) clearTimeout(this.#prediction_timer);
    this.#prediction_timer = setTimeout(() => void this.#prefetchPrediction(next_id), PREDICTION_AFTER_MS);
  }

  lookSoon(): void {
    if (this.#look_timer !== null) clearTimeout(this.#look_timer);
    this.#look_timer = setTimeout(() => void this.#look(), LOOK_AFTER_MS);
  }

  async #prefetchPrediction(image_id: number): Promise<void> {
    await this.calm.come();
    if (this.#candidate?.image_id === image_id) await this.predictions.prefetch(image_id);
  }

  async #look(): Promise<void> {
    await this.calm.come();
    const at = this.place();
    if (at === null) return;
    const token = ++this.#token;
    const isOver = (): boolean => token !== this.#token || at.image_id !== this.place()?.image_id;
    try {
      if (at.reviewing) await this.#lookInOrder(at.image_id, isOver);
      else await this.#lookByStrategy(at, isOver);
    } catch (error) {
      // Only a convenience: the way to the next image says what is wrong when it is taken.
      if (!(error instanceof DOMException)) explain(error);
    }
  }

  async #lookInOrder(image_id: number, isOver: () => boolean): Promise<void> {
    const { next_id } = await this.api.image(image_id);
    if (next_id !== null && !isOver()) await this.ready.preparePicture(next_id);
  }

  async #lookByStrategy(at: Place, isOver: () => boolean): Promise<void> {
    await savesSettled(this.saves);
    const next = await this.api.nextImage(at.strategy, at.image_id);
    if (next === null || isOver()) return;
    // From now on "next" need not ask again which image that is, and joins what is being fetched of it.
    const candidate = { image_id: next.id, at };
    this.#candidate = candidate;
    try {
      await this.ready.prepare(next);
    } catch (error) {
      // What cannot be had is no next image: without a server, one that is at hand is.
      if (this.#candidate === candidate) this.drop();
      throw error;
    }
    if (isOver()) return;
    await this.calm.come();
    if (isOver()) return;
    const upcoming = await this.api.upcomingImages(at.strategy, at.image_id, AHEAD);
    this.#upcoming_ids = [next.id, ...upcoming.map(({ id }) => id)];
    let pixels = shownPixels(next);
    for (const image of upcoming.filter(({ id }) => id !== next.id).slice(0, AHEAD - 1)) {
      pixels += shownPixels(image);
      await this.calm.come();
      if (isOver() || pixels > AHEAD_MOST_PIXELS) return;
      await this.ready.prepare(image);
    }
  }
}

/** Of the picture as it is fetched for the screen. */
function shownPixels({ width, height }: ImageInfo): number {
  const [across, down] = [width ?? 0, height ?? 0];
  const reduction = Math.min(1, SCREEN_SIDE_PX / Math.max(across, down, 1));
  return across * down * reduction ** 2;
}
