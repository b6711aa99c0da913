import { isRefusal, type KeyValueStorage } from "../state/preferences";
import type { Draft } from "../state/types";

export interface StoredDraft {
  readonly image_id: number;
  readonly revision: number | null;
  readonly draft: Draft;
}

/**
 * Drafts that the server does not have, kept over a reload: one key per image, because tabs share the storage. A full
 * or forbidden storage only means that a draft does not outlive the page.
 */
export class DraftStorage {
  /** What this tab wrote or took over: it removes nothing else. */
  readonly #mine = new Map<number, string>();

  constructor(
    private readonly storage: KeyValueStorage,
    private readonly prefix: string,
  ) {}

  write(stored: StoredDraft): void {
    const text = JSON.stringify(stored);
    if (this.#mine.get(stored.image_id) === text) return;
    if (attempt(() => this.storage.setItem(this.#key(stored.image_id), text))) this.#mine.set(stored.image_id, text);
  }

  remove(image_id: number): void {
    const mine = this.#mine.get(image_id);
    this.#mine.delete(image_id);
    if (mine === undefined) return;
    attempt(() => {
      if (this.storage.getItem(this.#key(image_id)) === mine) this.storage.removeItem(this.#key(image_id));
    });
  }

  /** All that can be understood; it is this tab's to remove from now on. */
  takeOver(): StoredDraft[] {
    const found: StoredDraft[] = [];
    attempt(() => {
      for (const key of this.#keys()) {
        const text = this.storage.getItem(key) ?? "";
        const stored = parse(text);
        if (stored === null || key !== this.#key(stored.image_id)) continue;
        this.#mine.set(stored.image_id, text);
        found.push(stored);
      }
    });
    return found;
  }

  #key(image_id: number): string {
    return `${this.prefix}:${image_id}`;
  }

  #keys(): string[] {
    const keys = Array.from({ length: this.storage.length }, (_, index) => this.storage.key(index) ?? "");
    return keys.filter((key) => key.startsWith(`${this.prefix}:`));
  }
}

/** False if the browser refused. */
function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

function parse(text: string): StoredDraft | null {
  try {
    const found: unknown = JSON.parse(text);
    return isStoredDraft(found) ? found : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isStoredDraft(value: unknown): value is StoredDraft {
  if (!isRecord(value)) return false;
  const { image_id, revision, draft } = value;
  return Number.isInteger(image_id) && (revision === null || Number.isInteger(revision)) && isDraft(draft);
}

function isDraft(value: unknown): value is Draft {
  if (!isRecord(value)) return false;
  if (value.kind === "label") return value.class_id === null || Number.isInteger(value.class_id);
  if (value.kind === "classes") {
    return value.class_ids === null || (Array.isArray(value.class_ids) && value.class_ids.every(Number.isInteger));
  }
  return value.kind === "points" && Array.isArray(value.points) && value.points.every(isPoint);
}

function isPoint(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { id, x, y, class_id, origin } = value;
  const is_id = id === null || Number.isInteger(id);
  return is_id && Number.isFinite(x) && Number.isFinite(y) && Number.isInteger(class_id) && typeof origin === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
