import { ApiError, explain, isFinal } from "../api/errors";
import { isRefusal, type KeyValueStorage } from "../state/preferences";
import { Signal } from "../state/signal";
import type { ImageComment, SaveStatus } from "../state/types";
import type { SaveTrouble } from "./save_signs";

export interface CommentListener {
  saved(comment: ImageComment): void;
  /** Somebody else wrote `current` meanwhile; `mine` was not saved. */
  conflict(mine: string, current: ImageComment): void;
  /** The server will not take it: it stays in local storage until it is written anew or discarded. */
  rejected(image_id: number, mine: string, reason: string): void;
}

type Put = (image_id: number, text: string, revision: number | null) => Promise<ImageComment>;

interface Waiting {
  text: string;
  revision: number | null;
  in_flight: boolean;
}

const RETRY_MS = 3_000;

/**
 * Comments on their way to the server: kept in local storage from the first letter on until they are acknowledged, one
 * key per image and tab.
 */
export class CommentSaves {
  readonly status = new Signal<SaveStatus>("saved");
  readonly trouble = new Signal<SaveTrouble | null>(null);
  readonly #waiting = new Map<number, Waiting>();
  readonly #tab = Math.random().toString(36).slice(2, 10);
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly put: Put,
    private readonly listener: CommentListener,
    private readonly storage: KeyValueStorage,
    private readonly prefix: string,
  ) {}

  /** What was written last and is not acknowledged. */
  pending(image_id: number): string | null {
    return this.#waiting.get(image_id)?.text ?? null;
  }

  /** `revision`: of the comment that is replaced; null overwrites whatever stands. */
  write(image_id: number, text: string, revision: number | null): void {
    const waiting = this.#waiting.get(image_id) ?? { text, revision, in_flight: false };
    waiting.text = text;
    this.#waiting.set(image_id, waiting);
    this.#store(image_id, waiting);
    this.#send(image_id, waiting);
  }

  /** Forget what was refused. */
  discard(image_id: number): void {
    if (!this.#waiting.has(image_id)) this.#drop(image_id);
  }

  retryNow(): void {
    for (const [image_id, waiting] of [...this.#waiting]) this.#send(image_id, waiting);
  }

  /** Send what an earlier visit, or another tab, could not. */
  restore(): void {
    const keys = Array.from({ length: this.storage.length }, (_, i) => this.storage.key(i) ?? "");
    for (const key of keys.filter((found) => found.startsWith(`${this.prefix}:`))) {
      const image_id = Number(key.slice(this.prefix.length + 1).split(":")[0]);
      const text = this.storage.getItem(key) ?? "";
      const stored = parse(text);
      // Of two for one image the second stays where it is: the next visit takes it over, and meets the conflict.
      if (stored === null || !Number.isInteger(image_id) || this.#waiting.has(image_id)) continue;
      this.write(image_id, stored.text, stored.revision);
      const is_copied = this.storage.getItem(this.#key(image_id)) !== null;
      if (is_copied && key !== this.#key(image_id)) this.#attempt(() => this.storage.removeItem(key));
    }
  }

  #send(image_id: number, waiting: Waiting): void {
    if (!waiting.in_flight) {
      const { text } = waiting;
      waiting.in_flight = true;
      this.put(image_id, text, waiting.revision).then(
        (answer) => this.#saved(waiting, text, answer),
        (error: unknown) => this.#notSaved(image_id, waiting, text, error),
      );
    }
    this.#updateStatus();
  }

  #saved(waiting: Waiting, sent: string, answer: ImageComment): void {
    waiting.in_flight = false;
    waiting.revision = answer.revision;
    this.trouble.set(null);
    if (waiting.text.trim() === sent.trim()) this.#drop(answer.image_id);
    else this.#store(answer.image_id, waiting);
    this.listener.saved(answer);
    if (this.#waiting.get(answer.image_id) === waiting) this.#send(answer.image_id, waiting);
    this.#updateStatus();
  }

  #notSaved(image_id: number, waiting: Waiting, sent: string, error: unknown): void {
    waiting.in_flight = false;
    if (isFinal(error)) {
      const current = error.status === 409 ? (error.current as ImageComment | null) : null;
      if (current !== null && current.text.trim() === sent.trim()) {
        // The answer to an earlier try was lost, or another tab has sent the same.
        this.#saved(waiting, sent, current);
        return;
      }
      if (current !== null) {
        this.#drop(image_id);
        this.listener.conflict(waiting.text, current);
      } else if (waiting.text !== sent) {
        // What was typed since may be sound.
        this.#send(image_id, waiting);
      } else {
        this.#waiting.delete(image_id);
        this.listener.rejected(image_id, sent, explain(error));
      }
    } else {
      this.trouble.set({ kind: error instanceof ApiError ? "refused" : "unreachable", reason: error instanceof Error ? error.message : String(error) });
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.retryNow();
      }, RETRY_MS);
    }
    this.#updateStatus();
  }

  #drop(image_id: number): void {
    this.#waiting.delete(image_id);
    this.#attempt(() => this.storage.removeItem(this.#key(image_id)));
  }

  #store(image_id: number, { text, revision }: Waiting): void {
    this.#attempt(() => this.storage.setItem(this.#key(image_id), JSON.stringify({ text, revision })));
  }

  #key(image_id: number): string {
    return `${this.prefix}:${image_id}:${this.#tab}`;
  }

  /** A storage that is full or forbidden only means that it does not outlive the page. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }

  #updateStatus(): void {
    if (this.#waiting.size === 0) {
      this.trouble.set(null);
      this.status.set("saved");
    } else this.status.set(this.trouble.value === null ? "saving" : "offline");
  }
}

function parse(text: string): { readonly text: string; readonly revision: number | null } | null {
  try {
    const found: unknown = JSON.parse(text);
    if (typeof found !== "object" || found === null) return null;
    const { text: comment, revision } = found as Record<string, unknown>;
    const is_sound = typeof comment === "string" && (revision === null || Number.isInteger(revision));
    return is_sound ? { text: comment, revision: revision as number | null } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
