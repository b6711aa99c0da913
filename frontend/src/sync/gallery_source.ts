import type { Api, ImageQuery } from "../api/client";
import { explain } from "../api/errors";
import { seenOf, type BulkImage } from "../state/bulk";
import { Signal } from "../state/signal";
import type { ImageInfo } from "../state/types";
import { throttled } from "./polling";

export interface GalleryState {
  /** Images that match; null before the first answer. */
  readonly total: number | null;
  readonly loading: boolean;
  readonly error: string | null;
  /** Grows with everything that has come since. */
  readonly version: number;
}

/** Ids come in portions of so many, and what is known of each image in pages. */
const IDS_AT_ONCE = 5_000;
const PAGE = 100;
/** Images that are kept in memory, whatever the length of the list. */
const MOST_KEPT = 3_000;
/** What can be news of an image. */
export type News = "label" | "prediction" | "comment";
const FILTERS: Readonly<Record<News, readonly (keyof ImageQuery)[]>> = {
  label: ["status", "reviewed", "shown_class_id", "labeled_class_id"],
  prediction: ["shown_class_id", "predicted_class_id", "min_confidence", "max_confidence"],
  comment: ["q"],
};
const NOTHING: GalleryState = { total: null, loading: false, error: null, version: 0 };

interface Fetching {
  readonly first: number;
  readonly last: number;
  readonly abort: AbortController;
}

/**
 * The images that match a filter, by their place in the list. The order stands as it was when the list was asked for:
 * tiles that are labelled change where they are, and nothing moves under the pointer until the list is asked for again.
 */
export class GallerySource {
  readonly state = new Signal<GalleryState>(NOTHING);
  /** Ids of the list, as far as they are known. */
  readonly listed = new Signal<ReadonlySet<number>>(new Set());
  /** What has come since may have changed which images match. */
  readonly outdated = new Signal(false);
  #query: ImageQuery = {};
  #token = 0;
  readonly #ids = new Map<number, Int32Array | null>();
  readonly #images = new Map<number, ImageInfo>();
  /** What was in memory once, however the list changes: changes are made to what the person saw. */
  readonly #seen = new Map<number, BulkImage>();
  /** In the list that is shown: another filter leads to what was not looked at for it. */
  readonly #seen_here = new Set<number>();
  readonly #confidences = new Map<number, number>();
  /** Of the session, when the first portion of the list was asked for. */
  #label_sequence: number | null = null;
  readonly #outdated = new Set<number>();
  #fetching: Fetching[] = [];
  #in_sight: readonly [number, number] = [0, -1];
  #is_open = true;
  readonly #renewSoon = throttled(() => this.#renew(), 300);

  constructor(private readonly api: Api) {}

  async show(query: ImageQuery): Promise<void> {
    this.#query = query;
    this.#token += 1;
    this.#label_sequence = null;
    this.#ids.clear();
    this.listed.set(new Set());
    this.outdated.set(false);
    this.#seen_here.clear();
    this.#images.clear();
    this.#outdated.clear();
    for (const { abort } of this.#fetching.splice(0)) abort.abort();
    this.#in_sight = [0, -1];
    // What was there stays on screen until the answer is: an empty grid would flash.
    this.#tell({ loading: true, error: null });
    await this.#loadIds(0);
  }

  /** The same list in the order of now. */
  async reload(): Promise<void> {
    await this.show(this.#query);
  }

  idAt(place: number): number | null {
    const ids = this.#ids.get(Math.floor(place / IDS_AT_ONCE));
    return ids?.[place % IDS_AT_ONCE] ?? null;
  }

  image(image_id: number): ImageInfo | null {
    return this.#images.get(image_id) ?? null;
  }

  /** What was seen last of the image, of its prediction in this list alone; of one that never was, when its list was asked for. */
  seen(image_id: number): BulkImage {
    const [seen, label_sequence] = [this.#seen.get(image_id), this.#label_sequence];
    if (seen?.revision !== undefined) return this.#seen_here.has(image_id) ? seen : { id: image_id, revision: seen.revision };
    return label_sequence === null ? { id: image_id } : { id: image_id, label_sequence };
  }

  /** Of the prediction that was seen last, 0..1; null of one that never was. */
  confidence(image_id: number): number | null {
    return this.#confidences.get(image_id) ?? null;
  }

  /** The person changed these images: they know of it, whether the tiles are in sight or not. */
  changedHere(changed: readonly { readonly id: number; readonly revision: number }[]): void {
    for (const { id, revision } of changed) this.#seen.set(id, { id, ...this.#seen.get(id), revision });
  }

  /** These places are in sight: what is missing of them is fetched, and what is no longer is not. */
  need(first: number, last: number): void {
    const { total } = this.state.value;
    if (total === null) return;
    const end = Math.min(last, total - 1);
    this.#in_sight = [first, end];
    this.#fetching = this.#fetching.filter((fetching) => {
      const is_needed = fetching.last >= first && fetching.first <= end;
      if (!is_needed) fetching.abort.abort();
      return is_needed;
    });
    for (let chunk = Math.floor(first / IDS_AT_ONCE); chunk <= Math.floor(end / IDS_AT_ONCE); chunk += 1) {
      if (!this.#ids.has(chunk)) void this.#loadIds(chunk);
    }
    for (let page = Math.floor(first / PAGE); page <= Math.floor(end / PAGE); page += 1) this.#loadPage(page);
  }

  /** Whether all ids of the list are known. */
  get is_whole(): boolean {
    const { total } = this.state.value;
    const portions = total === null ? null : Math.max(1, Math.ceil(total / IDS_AT_ONCE));
    return portions !== null && [...Array(portions).keys()].every((portion) => Boolean(this.#ids.get(portion)));
  }

  /** Fetches the ids that are missing. False: the list has not come, or not all of it could be had. */
  async complete(): Promise<boolean> {
    const { total } = this.state.value;
    if (total === null || !this.#ids.get(0)) return false;
    for (let portion = 1; portion * IDS_AT_ONCE < total; portion += 1) {
      if (!this.#ids.get(portion)) await this.#loadIds(portion);
      if (!this.#ids.get(portion)) return false;
    }
    return this.is_whole;
  }

  /** The ids at these places, both ends included, fetched where they are not known. */
  async idsIn(first: number, last: number): Promise<number[]> {
    for (let chunk = Math.floor(first / IDS_AT_ONCE); chunk <= Math.floor(last / IDS_AT_ONCE); chunk += 1) {
      if (!this.#ids.get(chunk)) await this.#loadIds(chunk);
    }
    const found: number[] = [];
    for (let place = first; place <= last; place += 1) {
      const id = this.idAt(place);
      if (id !== null) found.push(id);
    }
    return found;
  }

  /** While the gallery is closed, news of its images waits. */
  setOpen(is_open: boolean): void {
    this.#is_open = is_open;
    if (is_open && this.#outdated.size > 0) this.#renewSoon();
  }

  /** Something was said or predicted of these images; null: of any. Those in sight are fetched again. */
  hear(image_ids: readonly number[] | null, news: News = "label"): void {
    if (this.state.value.total !== null && FILTERS[news].some((name) => this.#query[name] !== undefined)) this.outdated.set(true);
    if (this.#images.size === 0) return;
    for (const id of image_ids ?? this.#images.keys()) if (this.#images.has(id)) this.#outdated.add(id);
    if (this.#is_open && this.#outdated.size > 0) this.#renewSoon();
  }

  async #loadIds(chunk: number): Promise<void> {
    const token = this.#token;
    this.#ids.set(chunk, null);
    try {
      const { ids, total, label_sequence } = await this.api.imageIds(this.#query, chunk * IDS_AT_ONCE, IDS_AT_ONCE);
      if (token !== this.#token) return;
      this.#ids.set(chunk, Int32Array.from(ids));
      this.#label_sequence = Math.min(this.#label_sequence ?? label_sequence, label_sequence);
      // Who hears of the ids asks whether these are all.
      this.#tell({ loading: false, error: null, ...(chunk === 0 ? { total } : {}) });
      this.listed.set(new Set([...this.listed.value, ...ids]));
    } catch (error) {
      if (token !== this.#token) return;
      this.#ids.delete(chunk);
      this.#tell({ loading: false, error: explain(error) });
    }
  }

  #loadPage(page: number): void {
    const first = page * PAGE;
    const last = first + PAGE - 1;
    if (this.#fetching.some((fetching) => fetching.first === first)) return;
    const missing: number[] = [];
    for (let place = first; place <= last; place += 1) {
      const id = this.idAt(place);
      if (id !== null && !this.#images.has(id)) missing.push(id);
    }
    if (missing.length === 0) return;
    const fetching = { first, last, abort: new AbortController() };
    this.#fetching.push(fetching);
    void this.#fetch(missing, fetching.abort.signal).finally(() => {
      this.#fetching = this.#fetching.filter((other) => other !== fetching);
    });
  }

  async #renew(): Promise<void> {
    const [first, last] = this.#in_sight;
    const ids: number[] = [];
    for (let place = first; place <= last; place += 1) {
      const id = this.idAt(place);
      if (id !== null && this.#outdated.delete(id)) ids.push(id);
    }
    // The others are fetched again when they come into sight.
    for (const id of this.#outdated) this.#images.delete(id);
    this.#outdated.clear();
    for (let start = 0; start < ids.length; start += PAGE) await this.#fetch(ids.slice(start, start + PAGE));
  }

  async #fetch(ids: readonly number[], signal?: AbortSignal): Promise<void> {
    const token = this.#token;
    try {
      const { items } = await this.api.images({ ids: [...ids], limit: ids.length, count: false }, signal);
      if (token !== this.#token) return;
      for (const image of items) {
        this.#images.set(image.id, image);
        if (image.uncertainty !== null) this.#confidences.set(image.id, 1 - image.uncertainty);
        // An answer may have been on its way while the person changed the image.
        if (image.revision < (this.seen(image.id).revision ?? 0)) continue;
        this.#seen.set(image.id, seenOf(image));
        this.#seen_here.add(image.id);
      }
      this.#forget();
      this.#tell({ error: null });
    } catch (error) {
      if (error instanceof DOMException) return;
      if (token === this.#token) this.#tell({ error: explain(error) });
    }
  }

  /** Those that came first go first, unless they are in sight. */
  #forget(): void {
    if (this.#images.size <= MOST_KEPT) return;
    const kept = new Set<number>();
    for (let place = this.#in_sight[0]; place <= this.#in_sight[1]; place += 1) kept.add(this.idAt(place) ?? 0);
    for (const id of this.#images.keys()) {
      if (this.#images.size <= MOST_KEPT) return;
      if (!kept.has(id)) this.#images.delete(id);
    }
  }

  #tell(changes: Partial<GalleryState>): void {
    const { value } = this.state;
    this.state.set({ ...value, ...changes, version: value.version + 1 });
  }
}
