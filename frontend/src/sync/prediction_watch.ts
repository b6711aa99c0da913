import { ApiError, UnreachableError } from "../api/errors";
import type { Api } from "../api/client";
import type { ClassMap, ShownPrediction } from "../state/prediction";
import { Signal, type Readable } from "../state/signal";
import type { ImageInfo, LabelClass, Prediction } from "../state/types";
import { loadMaps, neededMaps } from "./map_loader";
import { PredictionShelf } from "./prediction_shelf";

const POLL_MS = [60, 100, 160, 250, 400, 700, 1_000, 2_000];
/** With events coming in, a poll is only the net below: it may wait. */
const POLL_WITH_EVENTS_MS = [250, 500, 1_000, 2_000, 5_000];
/** Long enough that a person who clicks on is not slowed down by it. */
const REFINE_AFTER_MS = 400;
const REFINE_MOST_PX = 4_000_000;
const REFINE_MOST_CLASSES = 4;

/** How long a prediction is missing before the server is asked for it outright: a first one takes a moment. */
const ASK_AFTER_MS = 5_000;

export interface WatchedImage {
  readonly id: number;
  /** null while the image has no prediction. */
  readonly uncertainty: number | null;
  readonly width: number | null;
  readonly height: number | null;
}

interface Loaded {
  readonly shown: ShownPrediction;
  readonly prediction: Prediction;
}

interface Ahead {
  readonly version: number;
  readonly class_ids: readonly number[];
  readonly maps: Promise<readonly ClassMap[]>;
}

/**
 * Keeps the prediction of the open image the newest there is: fetches on the server's word, polls while that is
 * missing, and asks for the refined map once things are quiet.
 */
export class PredictionWatch {
  readonly shown = new Signal<ShownPrediction | null>(null);
  /** Whether the head is known to be still learning from the newest change. */
  readonly behind = new Signal(false);
  readonly #api: Api;
  readonly #classes: Readable<readonly LabelClass[]>;
  readonly #hasEvents: Readable<boolean>;
  readonly #hasLabels: () => boolean;
  readonly #shelf = new PredictionShelf();
  #image: WatchedImage | null = null;
  #wanted_revision = 0;
  #wanted_version = 0;
  /** Asking for a prediction that does not exist is answered 404, which browsers report as an error: ask knowingly. */
  #exists = false;
  #asked = false;
  #missing_since_ms = 0;
  /** Counts how often all predictions went: what was asked for before is of no use then. */
  #removals = 0;
  #fetching = false;
  #fetch_again = false;
  #polls = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #refining: AbortController | null = null;
  #refine_timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    api: Api,
    classes: Readable<readonly LabelClass[]>,
    has_events: Readable<boolean>,
    has_labels: () => boolean,
  ) {
    this.#api = api;
    this.#hasLabels = has_labels;
    this.#classes = classes;
    this.#hasEvents = has_events;
    has_events.subscribe(() => this.refresh());
  }

  open(image: WatchedImage, revision: number): void {
    if (this.shown.value) this.#shelf.put(this.shown.value, false);
    this.#image = image;
    this.#wanted_revision = revision;
    this.#wanted_version = 0;
    this.#polls = 0;
    this.#exists = image.uncertainty !== null || this.#shelf.get(image.id) !== null;
    this.#asked = false;
    this.#missing_since_ms = Date.now();
    this.#stopRefining();
    this.shown.set(this.#shelf.get(image.id));
    this.refresh();
  }

  close(): void {
    this.#image = null;
    this.#stopRefining();
    this.#stopPolling();
    this.shown.set(null);
  }

  /** The server has acknowledged `revision` of the open image: its prediction will follow. */
  expect(image_id: number, revision: number): void {
    if (image_id !== this.#image?.id || revision <= this.#wanted_revision) return;
    this.#wanted_revision = revision;
    this.#polls = 0;
    this.#missing_since_ms = Date.now();
    this.#stopRefining();
    this.#plan();
  }

  /** The server says that there is a prediction. */
  announce(image_id: number, version: number): void {
    this.#shelf.outdate(image_id);
    if (image_id !== this.#image?.id || version <= (this.shown.value?.version ?? 0)) return;
    this.#exists = true;
    this.#wanted_version = Math.max(this.#wanted_version, version);
    this.refresh();
  }

  /** The server says that there is none any more: no label is left to learn from. */
  announceRemoved(): void {
    this.#shelf.clear();
    this.#removals += 1;
    this.#exists = false;
    this.#wanted_version = 0;
    this.#stopRefining();
    this.shown.set(null);
    this.reviewBehind();
  }

  /** Whether anything is being learned depends on there being labels. */
  reviewBehind(): void {
    this.behind.set(this.behind.value && this.#hasLabels());
  }

  /** Another head is in force: every image's prediction is an old one until it is made anew. */
  announceHead(): void {
    this.#shelf.outdate();
    this.refresh();
  }

  refresh(): void {
    if (this.#image === null) return;
    if (this.#fetching) this.#fetch_again = true;
    else void this.#fetch(this.#image);
  }

  /** Have the prediction of an image at hand that will be opened next. */
  async prefetch(image_id: number): Promise<void> {
    if (this.#shelf.isCurrent(image_id) || image_id === this.#image?.id) return;
    const loaded = await this.#load(image_id, this.#shelf.get(image_id));
    if (loaded) this.#shelf.put(loaded.shown, !loaded.prediction.stale);
  }

  async #fetch(image: WatchedImage): Promise<void> {
    this.#fetching = true;
    this.#stopPolling();
    const loaded = await this.#loadIfThere(image);
    this.#fetching = false;
    if (image.id !== this.#image?.id) {
      this.refresh();
      return;
    }
    if (loaded) this.#show(loaded.shown, loaded.prediction);
    this.#plan(loaded?.prediction);
  }

  #show(next: ShownPrediction, prediction: Prediction): void {
    const before = this.shown.value;
    const is_news =
      before === null || next.version > before.version || next.annotation_revision > before.annotation_revision;
    if (is_news) this.shown.set(next);
    this.#wanted_version = Math.max(this.#wanted_version, prediction.version);
  }

  async #loadIfThere(image: WatchedImage): Promise<Loaded | null> {
    if (!this.#exists) {
      const found = await this.#look(image.id);
      if (found === null) return null;
      // Nothing can be predicted of an image whose features are still to be made; once they are, that takes its time.
      if (found.features !== "ready") this.#missing_since_ms = Date.now();
      const is_late = Date.now() > this.#missing_since_ms + ASK_AFTER_MS;
      const is_time_to_ask = is_late && !this.#asked && this.#hasLabels();
      this.#asked ||= is_time_to_ask;
      if (!is_time_to_ask && found.uncertainty === null) return null;
    }
    const loaded = await this.#load(image.id, this.shown.value);
    if (image.id === this.#image?.id && loaded !== null) this.#exists = true;
    return loaded;
  }

  async #look(image_id: number): Promise<ImageInfo | null> {
    try {
      return await this.#api.image(image_id);
    } catch (error) {
      report(error);
      return null;
    }
  }

  /** What there is now; null if there is none or it could not be had (the next poll tries again). */
  async #load(
    image_id: number,
    before: ShownPrediction | null,
  ): Promise<Loaded | null> {
    const removals = this.#removals;
    try {
      const ahead = image_id === this.#image?.id ? this.#loadAhead(image_id, before) : null;
      const prediction = await this.#predictionOf(image_id);
      const { version, annotation_revision } = prediction;
      const is_same = before?.image_id === image_id && before.version === version;
      const class_ids = neededMaps(this.#classes.value, prediction.map?.class_ids ?? []);
      const is_ahead_right = ahead?.version === version && ahead.class_ids.join() === class_ids.join();
      const load = (): Promise<readonly ClassMap[]> =>
        is_ahead_right ? ahead.maps : loadMaps(this.#api, image_id, class_ids, "grid", version);
      const maps = is_same ? before.maps : await load();
      const refined = is_same && before.refined;
      const probabilities = prediction.probabilities ?? [];
      if (removals !== this.#removals) return null;
      return { shown: { image_id, version, annotation_revision, probabilities, maps, refined }, prediction };
    } catch (error) {
      report(error);
      return null;
    }
  }

  /** Where the server has none any more, what is on screen is nobody's. */
  async #predictionOf(image_id: number): Promise<Prediction> {
    try {
      return await this.#api.prediction(image_id);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404 && image_id === this.#image?.id) {
        this.#exists = false;
        this.shown.set(null);
      }
      throw error;
    }
  }

  /** The maps of a version that was announced, for the classes known so far: asked for beside the prediction itself. */
  #loadAhead(image_id: number, before: ShownPrediction | null): Ahead | null {
    const version = this.#wanted_version;
    if (before?.image_id !== image_id || before.maps.length === 0 || version <= before.version) return null;
    const class_ids = neededMaps(this.#classes.value, before.maps.map(({ class_id }) => class_id));
    const maps = loadMaps(this.#api, image_id, class_ids, "grid", version);
    // Whoever needs them sees the failure; if nobody does, it does not matter.
    maps.catch(() => undefined);
    return { version, class_ids, maps };
  }

  /** Poll again while something newer must come; else refine what is there. */
  #plan(prediction?: Prediction): void {
    if (this.#fetch_again) {
      this.#fetch_again = false;
      this.refresh();
      return;
    }
    const { value } = this.shown;
    const behind =
      value === null ||
      value.annotation_revision < this.#wanted_revision ||
      value.version < this.#wanted_version ||
      prediction?.stale === true;
    this.behind.set(behind && this.#hasLabels() && (value !== null || this.#wanted_revision > 0));
    if (!behind) {
      this.#refineSoon(value);
      return;
    }
    const waits = this.#hasEvents.value ? POLL_WITH_EVENTS_MS : POLL_MS;
    const wait_ms = waits[Math.min(this.#polls, waits.length - 1)];
    this.#polls += 1;
    this.#stopPolling();
    this.#timer = setTimeout(() => this.refresh(), wait_ms);
  }

  #refineSoon(shown: ShownPrediction): void {
    const { width, height } = this.#image ?? { width: null, height: null };
    const is_small = width !== null && height !== null && width * height <= REFINE_MOST_PX;
    if (shown.refined || shown.maps.length === 0 || shown.maps.length > REFINE_MOST_CLASSES || !is_small) return;
    this.#stopRefining();
    this.#refine_timer = setTimeout(() => void this.#refine(shown), REFINE_AFTER_MS);
  }

  async #refine(shown: ShownPrediction): Promise<void> {
    const controller = new AbortController();
    this.#refining = controller;
    const class_ids = shown.maps.map(({ class_id }) => class_id);
    try {
      const maps = await loadMaps(this.#api, shown.image_id, class_ids, "image", shown.version, controller.signal);
      if (this.shown.value === shown) this.shown.set({ ...shown, maps, refined: true });
    } catch (error) {
      // The grid stays on screen: refinement is a comfort, whatever the reason that it failed.
      const is_expected = error instanceof ApiError || error instanceof UnreachableError || controller.signal.aborted;
      if (!is_expected) throw error;
    }
  }

  #stopRefining(): void {
    if (this.#refine_timer !== null) clearTimeout(this.#refine_timer);
    this.#refine_timer = null;
    this.#refining?.abort();
    this.#refining = null;
  }

  #stopPolling(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** What the server refuses, or a map that cannot be decoded, must not end the polling: the next poll may bring better. */
function report(error: unknown): void {
  // Requests that fail are on the browser's console already.
  if (!(error instanceof ApiError || error instanceof UnreachableError)) console.error("The prediction was not loaded:", error);
}
