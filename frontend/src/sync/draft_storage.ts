import { isRefusal, type KeyValueStorage } from "../state/preferences";
import type { Draft } from "../state/types";
import { isDraft, isRecord } from "./draft_checks";
import { trailFrom, type StoredTrail } from "./trail_text";

export interface StoredDraft {
  readonly image_id: number;
  readonly revision: number | null;
  readonly draft: Draft;
}

export interface FoundDraft extends StoredDraft {
  /** The steps that lead to the draft, where they are sent one by one. */
  readonly trail: StoredTrail | null;
}

export interface TakenDraft {
  readonly stored: FoundDraft;
  /** It is kept elsewhere now, or nobody needs it any more. */
  readonly release: () => void;
}

/** Much larger than a `KeyValueStorage`, and slower. */
export interface SlowStorage {
  put(key: string, text: string): Promise<void>;
  /** With `text`: only while it is that. */
  remove(key: string, text?: string): Promise<void>;
  entries(prefix: string): Promise<readonly (readonly [key: string, text: string])[]>;
}

/**
 * Drafts that the server does not have, kept over a reload: one key per image and tab, because tabs share the storage.
 * What local storage has no room for goes to the slow one.
 */
export class DraftStorage {
  /** What this tab wrote. */
  readonly #mine = new Map<number, string>();
  /** Images whose draft is in no storage, or not yet. */
  readonly #unkept = new Set<number>();
  /** Images whose draft is in the slow storage. */
  readonly #slow = new Set<number>();
  readonly #tab = Math.random().toString(36).slice(2, 10);

  constructor(
    private readonly storage: KeyValueStorage,
    private readonly prefix: string,
    private readonly overflow: SlowStorage | null = null,
    private readonly onKept: () => void = () => undefined,
  ) {}

  /** Whether every draft written would outlive the page. */
  get is_kept(): boolean {
    return this.#unkept.size === 0;
  }

  /** `trail`: text of the steps that lead to the draft, as `trailText` makes it. */
  write(stored: StoredDraft & { readonly trail?: string | null }): void {
    const text = textOf(stored);
    const { image_id } = stored;
    if (this.#mine.get(image_id) === text) return;
    this.#mine.set(image_id, text);
    if (attempt(() => this.storage.setItem(this.#key(image_id), text))) this.#noteKept(image_id);
    else void this.#writeSlowly(image_id, text);
  }

  remove(image_id: number): void {
    const mine = this.#mine.get(image_id);
    this.#mine.delete(image_id);
    if (mine === undefined) return;
    attempt(() => this.storage.removeItem(this.#key(image_id)));
    if (this.#slow.delete(image_id)) void this.overflow?.remove(this.#key(image_id));
    this.#noteKept(image_id);
  }

  /** All that can be understood, of earlier visits and of other tabs. */
  async takeOver(): Promise<TakenDraft[]> {
    const found: TakenDraft[] = [];
    attempt(() => {
      for (const key of this.#keys()) {
        const text = this.storage.getItem(key) ?? "";
        this.#take(found, key, text, () => {
          attempt(() => {
            if (this.storage.getItem(key) === text) this.storage.removeItem(key);
          });
        });
      }
    });
    for (const [key, text] of (await this.overflow?.entries(`${this.prefix}:`)) ?? []) {
      this.#take(found, key, text, () => void this.overflow?.remove(key, text));
    }
    return found;
  }

  #take(found: TakenDraft[], key: string, text: string, release: () => void): void {
    const stored = parse(text);
    if (stored === null || key === this.#key(stored.image_id)) return;
    if (key === this.#keyOf(stored.image_id) || key.startsWith(`${this.#keyOf(stored.image_id)}:`)) found.push({ stored, release });
  }

  async #writeSlowly(image_id: number, text: string): Promise<void> {
    this.#unkept.add(image_id);
    this.onKept();
    // An older one must not come back in place of this one.
    attempt(() => this.storage.removeItem(this.#key(image_id)));
    if (this.overflow === null) return;
    try {
      this.#slow.add(image_id);
      await this.overflow.put(this.#key(image_id), text);
      if (this.#mine.get(image_id) === text) this.#noteKept(image_id);
      else if (!this.#mine.has(image_id)) await this.overflow.remove(this.#key(image_id));
    } catch (error) {
      // The page says that it is not kept.
      if (!(error instanceof DOMException)) throw error;
    }
  }

  #noteKept(image_id: number): void {
    this.#unkept.delete(image_id);
    this.onKept();
  }

  #key(image_id: number): string {
    return `${this.#keyOf(image_id)}:${this.#tab}`;
  }

  #keyOf(image_id: number): string {
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

function textOf({ trail = null, ...stored }: StoredDraft & { readonly trail?: string | null }): string {
  const text = JSON.stringify(stored, withoutKnownGeometry);
  return trail === null ? text : `${text.slice(0, -1)},"trail":${trail}}`;
}

function parse(text: string): FoundDraft | null {
  try {
    const found: unknown = JSON.parse(text);
    return isStoredDraft(found) ? { ...found, trail: trailFrom((found as { trail?: unknown }).trail) } : null;
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

/** What the server has need not be kept here: storage is small, masks are not. */
function withoutKnownGeometry(this: unknown, key: string, value: unknown): unknown {
  return key === "geometry" && isRecord(this) && typeof this.shape_id === "number" ? undefined : value;
}
