import { Signal } from "../state/signal";
import type { Prediction } from "../state/types";
import type { PushedMap } from "./map_loader";

export const EVENT_KINDS = ["annotation", "prediction", "training", "features", "job", "classes"] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface ServerEvent {
  readonly kind: EventKind;
  readonly image_id?: number;
  readonly image_ids?: readonly number[];
  readonly revision?: number;
  /** Of the comment, where that was changed. */
  readonly comment_revision?: number;
  readonly version?: number;
  readonly annotation_revision?: number;
  /** Of features: whether `image_ids` are all that is new. */
  readonly all_named?: boolean;
  /** The prediction is gone. */
  readonly removed?: boolean;
  /** Of a prediction event that names one image: the prediction itself, and its maps where they are small. */
  readonly prediction?: Prediction;
  readonly maps?: readonly PushedMap[];
  /** Of training that concerns a run. */
  readonly run_id?: number;
  /** Of a run, or of a job. */
  readonly state?: string;
  readonly job_kind?: string;
}

const REOPEN_AFTER_MS = 2_000;

/** Server-sent events over one connection. While it is lost `connected` is false, and the watchers poll instead. */
export class EventStream {
  readonly connected = new Signal(false);
  readonly #url: string;
  readonly #listeners = new Set<(event: ServerEvent) => void>();
  #source: EventSource | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  listen(listener: (event: ServerEvent) => void): void {
    this.#listeners.add(listener);
  }

  open(): void {
    if (this.#source !== null) return;
    const source = new EventSource(this.#url);
    this.#source = source;
    source.onopen = () => this.connected.set(true);
    source.onerror = () => {
      this.connected.set(false);
      // The browser reconnects by itself unless the answer was an error; then the source stays closed for good.
      if (source.readyState === EventSource.CLOSED) this.#reopenLater();
    };
    for (const kind of EVENT_KINDS) {
      source.addEventListener(kind, (message: MessageEvent<string>) => this.#announce(kind, message.data));
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#source?.close();
    this.#source = null;
    this.connected.set(false);
  }

  #announce(kind: EventKind, data: string): void {
    const event = { ...(JSON.parse(data) as Omit<ServerEvent, "kind">), kind };
    for (const listener of this.#listeners) listener(event);
  }

  #reopenLater(): void {
    this.close();
    this.#timer = setTimeout(() => this.open(), REOPEN_AFTER_MS);
  }
}
