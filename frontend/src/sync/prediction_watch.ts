import { ApiError, UnreachableError } from "../api/errors";
import type { Api } from "../api/client";
import { idsOf, mapsFor, neededMaps, type ClassMap, type ShownPrediction } from "../state/prediction";
import { Signal, type Readable } from "../state/signal";
import type { LabelClass, Prediction } from "../state/types";
import { decodePushed, loadMaps, type PushedMap } from "./map_loader";
import { PredictionShelf } from "./prediction_shelf";
import { Refining } from "./refining";

const POLL_MS = [60, 100, 160, 250, 400, 700, 1_000, 2_000];
/** With events coming in, a poll is only the net below: it may wait. */
const POLL_WITH_EVENTS_MS = [250, 500, 1_000, 2_000, 5_000];
export interface WatchedImage {
  readonly id: number;
  readonly width: number | null;
  readonly height: number | null;
}

interface Loaded {
  readonly shown: ShownPrediction;
  readonly prediction: Prediction;
}

/** A prediction inside the event that announces it, with its maps where they are small. */
export interface Pushed {
  readonly prediction: Prediction;
  readonly maps: readonly PushedMap[];
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
  /** Counts how often all predictions went, or other classes came: what was asked for before is of no use then. */
  #removals = 0;
  #fetching = false;
  #fetch_again = false;
  #polls = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #refining: Refining;

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
    this.#refining = new Refining(api, this.shown);
    has_events.subscribe(() => this.refresh());
    let before = classes.value;
    classes.subscribe((now) => {
      if (sameIds(before, now)) return;
      this.#classesChanged(before, now);
      before = now;
    });
  }

  open(image: WatchedImage, revision: number): void {
    if (this.shown.value) this.#shelf.put(this.shown.value, false);
    this.#image = image;
    this.#wanted_revision = revision;
    this.#wanted_version = 0;
    this.#polls = 0;
    this.#refining.stop();
    this.shown.set(this.#shelf.get(image.id));
    this.refresh();
  }

  close(): void {
    this.#image = null;
    this.#refining.stop();
    this.#stopPolling();
    this.shown.set(null);
  }

  /** The server has acknowledged `revision` of the open image: its prediction will follow. */
  expect(image_id: number, revision: number): void {
    if (image_id !== this.#image?.id || revision <= this.#wanted_revision) return;
    this.#wanted_revision = revision;
    this.#polls = 0;
    this.#refining.stop();
    this.#plan();
  }

  /** The server says that there is a prediction, and may have sent it along: then nothing is asked for. */
  announce(image_id: number, version: number, pushed: Pushed | null = null): void {
    this.#shelf.outdate(image_id);
    if (image_id !== this.#image?.id || version <= (this.shown.value?.version ?? 0)) return;
    this.#wanted_version = Math.max(this.#wanted_version, version);
    const maps = pushed && this.#mapsOf(pushed);
    if (pushed === null || maps === null) {
      this.refresh();
      return;
    }
    this.#show(shownOf(image_id, pushed.prediction, maps, false), pushed.prediction);
    // A request under way is older, and plans when it is answered.
    if (!this.#fetching) this.#plan(pushed.prediction);
  }

  /** The server says that there is none any more: no label is left to learn from. */
  announceRemoved(): void {
    this.#shelf.clear();
    this.#removals += 1;
    this.#wanted_version = 0;
    this.#refining.stop();
    this.shown.set(null);
    this.reviewBehind();
  }

  /** Whether anything is being learned depends on there being labels. */
  reviewBehind(): void {
    this.behind.set(this.behind.value && this.#hasLabels());
  }

  /** The maps at hand say of other classes than before; what they cannot say is asked for. */
  #classesChanged(before: readonly LabelClass[], now: readonly LabelClass[]): void {
    const changed = (shown: ShownPrediction): ShownPrediction => ({ ...shown, maps: mapsFor(shown.maps, before, now) });
    this.#removals += 1;
    this.#refining.stop();
    this.#shelf.change(changed);
    if (this.shown.value) this.shown.set(changed(this.shown.value));
    this.refresh();
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
    const loaded = await this.#load(image.id, this.shown.value);
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
      before === null || next.version > before.version || next.annotation_revision > before.annotation_revision || idsOf(next.maps) !== idsOf(before.maps);
    if (is_news) this.shown.set(next);
    this.#wanted_version = Math.max(this.#wanted_version, prediction.version);
  }

  /** What there is now; null if there is none or it could not be had (the next poll tries again). */
  async #load(
    image_id: number,
    before: ShownPrediction | null,
  ): Promise<Loaded | null> {
    const removals = this.#removals;
    try {
      const prediction = await this.#api.prediction(image_id);
      if (prediction === null) {
        // What is on screen is nobody's then, unless it came while this was asked.
        if (image_id === this.#image?.id && this.shown.value === before) this.shown.set(null);
        return null;
      }
      const class_ids = neededMaps(this.#classes.value, prediction.map?.class_ids ?? []);
      const is_same = before?.image_id === image_id && before.version === prediction.version && idsOf(before.maps) === class_ids.join();
      const maps = is_same ? before.maps : await loadMaps(this.#api, image_id, class_ids, "grid", prediction.version);
      if (removals !== this.#removals) return null;
      return { shown: shownOf(image_id, prediction, maps, is_same && before.refined), prediction };
    } catch (error) {
      report(error);
      return null;
    }
  }

  /** null: not all that an overlay needs was sent, or it cannot be read. */
  #mapsOf({ prediction, maps }: Pushed): readonly ClassMap[] | null {
    const needed = neededMaps(this.#classes.value, prediction.map?.class_ids ?? []);
    if (needed.join() !== maps.map(({ class_id }) => class_id).join()) return null;
    try {
      return maps.map((map) => decodePushed(map));
    } catch (error) {
      report(error);
      return null;
    }
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
    this.#stopPolling();
    if (!behind) {
      if (this.#image !== null) this.#refining.begin(value, this.#image);
      return;
    }
    const waits = this.#hasEvents.value ? POLL_WITH_EVENTS_MS : POLL_MS;
    const wait_ms = waits[Math.min(this.#polls, waits.length - 1)];
    this.#polls += 1;
    this.#timer = setTimeout(() => this.refresh(), wait_ms);
  }

  #stopPolling(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

function shownOf(
  image_id: number,
  { version, annotation_revision, probabilities }: Prediction,
  maps: readonly ClassMap[],
  refined: boolean,
): ShownPrediction {
  return { image_id, version, annotation_revision, probabilities: probabilities ?? [], maps, refined };
}

function sameIds(a: readonly LabelClass[], b: readonly LabelClass[]): boolean {
  return a.length === b.length && a.every(({ id }, i) => id === b[i]?.id);
}

/** What the server refuses, or a map that cannot be decoded, must not end the polling: the next poll may bring better. */
function report(error: unknown): void {
  // Requests that fail are on the browser's console already.
  if (!(error instanceof ApiError || error instanceof UnreachableError)) console.error("The prediction was not loaded:", error);
}
