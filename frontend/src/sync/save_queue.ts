import { ApiError, explain, UnreachableError } from "../api/errors";
import { matches } from "../state/annotations";
import type { KeyValueStorage } from "../state/preferences";
import { Signal } from "../state/signal";
import type { Annotation, Draft, SaveStatus } from "../state/types";

export interface SaveListener {
  saved(image_id: number, sent: Draft, answer: Annotation): void;
  /** Another change came first: `current` stands, `mine` was not saved. */
  conflict(image_id: number, mine: Draft, current: Annotation): void;
  /** The server will never take it. */
  rejected(image_id: number, mine: Draft, reason: string): void;
}

type Put = (image_id: number, draft: Draft, revision: number | null) => Promise<Annotation>;

interface Entry {
  draft: Draft;
  revision: number | null;
  in_flight: boolean;
  /** Whether `draft` is newer than what was sent last. */
  waiting: boolean;
  failures: number;
  timer: ReturnType<typeof setTimeout> | null;
  readonly when_settled: (() => void)[];
}

interface StoredEntry {
  readonly image_id: number;
  readonly revision: number | null;
  readonly draft: Draft;
}

const BACKOFF_MS = [300, 1_000, 2_000, 4_000, 8_000, 15_000];
/** A save that is answered sooner is never written to local storage. */
const STORE_AFTER_MS = 150;

/**
 * Saves annotations: one request in flight per image, the newest state wins, what cannot be sent is kept in local
 * storage and sent later. `status` says "saved" only when the server has acknowledged everything.
 */
export class SaveQueue {
  readonly status = new Signal<SaveStatus>("saved");
  readonly #entries = new Map<number, Entry>();
  readonly #put: Put;
  readonly #listener: SaveListener;
  readonly #storage: KeyValueStorage;
  readonly #storage_key: string;
  #store_timer: ReturnType<typeof setTimeout> | null = null;

  constructor(put: Put, listener: SaveListener, storage: KeyValueStorage, storage_key: string) {
    this.#put = put;
    this.#listener = listener;
    this.#storage = storage;
    this.#storage_key = storage_key;
  }

  /** `revision` is the one that the draft was made on; ignored while an earlier draft of the image is on its way. */
  enqueue(image_id: number, draft: Draft, revision: number | null): void {
    const entry = this.#entries.get(image_id) ?? newEntry(draft, revision);
    entry.draft = draft;
    entry.waiting = true;
    this.#entries.set(image_id, entry);
    this.#scheduleStore();
    this.#updateStatus();
    this.#send(image_id, entry);
  }

  /** The draft of an image that the server does not have yet. */
  pending(image_id: number): Draft | null {
    return this.#entries.get(image_id)?.draft ?? null;
  }

  /** Resolves when nothing of the image (of any image) waits or is under way. */
  async settled(image_id?: number): Promise<void> {
    const entries = [...this.#entries].filter(([id]) => image_id === undefined || id === image_id);
    await Promise.all(entries.map(([, entry]) => new Promise<void>((resolve) => entry.when_settled.push(resolve))));
  }

  /** Try everything that waits now, for example because the connection is back. */
  retryNow(): void {
    for (const [image_id, entry] of this.#entries) this.#send(image_id, entry);
  }

  /** Send what an earlier visit could not. */
  restore(): void {
    for (const { image_id, revision, draft } of this.#readStored()) {
      if (!this.#entries.has(image_id)) this.enqueue(image_id, draft, revision);
    }
  }

  /** Keep what is not acknowledged, at once: the page is going away. */
  store(): void {
    if (this.#store_timer !== null) clearTimeout(this.#store_timer);
    this.#store_timer = null;
    const stored = [...this.#entries].map(([image_id, { revision, draft }]) => ({ image_id, revision, draft }));
    if (stored.length === 0) this.#storage.removeItem(this.#storage_key);
    else this.#storage.setItem(this.#storage_key, JSON.stringify(stored));
  }

  #send(image_id: number, entry: Entry): void {
    if (entry.in_flight || !entry.waiting) return;
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.timer = null;
    entry.waiting = false;
    entry.in_flight = true;
    const sent = entry.draft;
    this.#put(image_id, sent, entry.revision).then(
      (answer) => this.#acknowledged(image_id, entry, sent, answer),
      (error: unknown) => this.#failed(image_id, entry, sent, error),
    );
  }

  #acknowledged(image_id: number, entry: Entry, sent: Draft, answer: Annotation): void {
    entry.in_flight = false;
    entry.failures = 0;
    entry.revision = answer.revision;
    this.#listener.saved(image_id, sent, answer);
    if (entry.waiting) this.#send(image_id, entry);
    else this.#drop(image_id, entry);
    this.#updateStatus();
  }

  #failed(image_id: number, entry: Entry, sent: Draft, error: unknown): void {
    entry.in_flight = false;
    if (error instanceof UnreachableError || (error instanceof ApiError && error.isTransient)) {
      const wait_ms = BACKOFF_MS[Math.min(entry.failures, BACKOFF_MS.length - 1)] ?? 15_000;
      entry.waiting = true;
      entry.failures += 1;
      entry.timer = setTimeout(() => this.#send(image_id, entry), wait_ms);
      this.#updateStatus();
      return;
    }
    const current = error instanceof ApiError && error.status === 409 ? (error.current as Annotation | null) : null;
    if (current !== null && matches(current, sent)) {
      // The answer to an earlier try was lost: the server has it already.
      this.#acknowledged(image_id, entry, sent, current);
      return;
    }
    this.#drop(image_id, entry);
    this.#updateStatus();
    if (current !== null) this.#listener.conflict(image_id, entry.draft, current);
    else this.#listener.rejected(image_id, entry.draft, explain(error));
  }

  #drop(image_id: number, entry: Entry): void {
    this.#entries.delete(image_id);
    for (const resolve of entry.when_settled.splice(0)) resolve();
    if (this.#entries.size === 0) this.store();
    else this.#scheduleStore();
  }

  #updateStatus(): void {
    const entries = [...this.#entries.values()];
    if (entries.length === 0) this.status.set("saved");
    else this.status.set(entries.some((entry) => entry.failures > 0) ? "offline" : "saving");
  }

  #scheduleStore(): void {
    this.#store_timer ??= setTimeout(() => this.store(), STORE_AFTER_MS);
  }

  #readStored(): StoredEntry[] {
    try {
      return JSON.parse(this.#storage.getItem(this.#storage_key) ?? "[]") as StoredEntry[];
    } catch (error) {
      if (error instanceof SyntaxError) return [];
      throw error;
    }
  }
}


function newEntry(draft: Draft, revision: number | null): Entry {
  return { draft, revision, in_flight: false, waiting: true, failures: 0, timer: null, when_settled: [] };
}
