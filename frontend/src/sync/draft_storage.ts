import { isRefusal, type KeyValueStorage } from "../state/preferences";
import type { Draft } from "../state/types";
import { changeOf } from "./draft_changes";
import { changeText, draftFrom, draftText, numbered, type FoundDraft, type StoredDraft } from "./draft_text";

export interface TakenDraft {
  readonly stored: FoundDraft;
  /** It is kept elsewhere now, or nobody needs it any more. */
  readonly release: () => void;
}

/** Much larger than a `KeyValueStorage`. What is put there is there even if the browser is killed a moment later. */
export interface SlowStorage {
  put(key: string, text: string): Promise<void>;
  /** With `text`: only while it is that. */
  remove(key: string, text?: string): Promise<void>;
  /** null if it cannot be read. */
  entries(prefix: string): Promise<readonly (readonly [key: string, text: string])[] | null>;
}

interface Mine {
  readonly draft: Draft;
  readonly text: string;
  /** Its place among all that this tab wrote. */
  readonly at: number;
  /** In local storage, when it was written. */
  readonly is_local: boolean;
  has_change: boolean;
}

/** Key of what has changed since the text of a key was written. */
const CHANGE = "+";

/**
 * Drafts that the server does not have, kept over a reload: one key per image and tab, because tabs share the storage.
 * Each is in two places: local storage has it before the call returns, whatever becomes of the tab; but browsers bring that to
 * the disk only seconds later. The slow one outlives the browser, too, and has room for what local storage has not.
 */
export class DraftStorage {
  /** What this tab wrote. */
  readonly #mine = new Map<number, Mine>();
  /** Keys of what is in no storage, or not yet. */
  readonly #unkept = new Set<string>();
  /** By key: what is to be done once it is kept, or nobody needs it any more. */
  readonly #waiting = new Map<string, (() => void)[]>();
  /** By key of what is in the slow storage: which of all that was written it is. */
  readonly #slow = new Map<string, number>();
  readonly #tab = Math.random().toString(36).slice(2, 10);
  #count = 0;

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
    const text = draftText(stored);
    const { image_id, draft } = stored;
    const before = this.#mine.get(image_id);
    const key = this.#key(image_id);
    // There may be room by now.
    if (before?.text === text && !before.has_change && !this.#unkept.has(key)) return;
    this.#count += 1;
    const is_local = this.#keep(key, numbered(text, this.#count));
    this.#mine.set(image_id, { draft, text, at: this.#count, is_local, has_change: false });
    if (before?.has_change === true) this.#drop(key + CHANGE);
  }

  /** Only what is not in the text that was written last. False if that is not there: it has to be written as a whole. */
  writeChange({ draft, ...stored }: StoredDraft): boolean {
    const mine = this.#mine.get(stored.image_id);
    const key = this.#key(stored.image_id);
    if (mine === undefined || !this.#isThere(key, mine)) return false;
    this.#count += 1;
    mine.has_change = true;
    this.#keep(key + CHANGE, changeText(mine.at, this.#count, stored, changeOf(mine.draft, draft)));
    return true;
  }

  /** Another tab takes over what it finds. What local storage has no room for is not looked for: that would take its time. */
  #isThere(key: string, { is_local }: Mine): boolean {
    if (this.#unkept.has(key)) return false;
    return !is_local || this.#localText(key) !== null;
  }

  /** `work` is done as soon as the image's draft is kept, or nobody needs it any more. */
  whenKept(image_id: number, work: () => void): void {
    const key = this.#key(image_id);
    if (this.#unkept.has(key)) this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), work]);
    else work();
  }

  remove(image_id: number): void {
    const mine = this.#mine.get(image_id);
    this.#mine.delete(image_id);
    if (mine === undefined) return;
    if (mine.has_change) this.#drop(this.#key(image_id) + CHANGE);
    this.#drop(this.#key(image_id));
  }

  /** All that can be understood, of earlier visits and of other tabs. */
  async takeOver(): Promise<TakenDraft[]> {
    const local = new Map<string, string>();
    attempt(() => this.#keys().forEach((key) => local.set(key, this.storage.getItem(key) ?? "")));
    const slow_entries = this.overflow === null ? [] : await this.overflow.entries(`${this.prefix}:`);
    const slow = new Map(slow_entries ?? []);
    const keys = new Set([...local.keys(), ...slow.keys()].map((key) => (key.endsWith(CHANGE) ? key.slice(0, -CHANGE.length) : key)));
    const textsOf = (key: string): string[] => [local.get(key), slow.get(key)].filter((text) => text !== undefined);
    return [...keys].flatMap((key) => {
      const stored = draftFrom(textsOf(key), textsOf(key + CHANGE));
      const release = (name: string): void => this.#release(name, local.get(name), slow.get(name));
      // Without the text that it is a change of nobody can ever understand it.
      const is_orphan = stored === null && slow_entries !== null && textsOf(key).length === 0;
      if (is_orphan && !key.endsWith(`:${this.#tab}`)) release(key + CHANGE);
      if (stored === null || !this.#isOfOthers(key, stored.image_id)) return [];
      const releaseBoth = (): void => {
        // A tab that is still there has gone on: what it wrote needs the text that it is a change of.
        const change = this.#localText(key + CHANGE);
        if (change !== null && change !== local.get(key + CHANGE)) return;
        release(key);
        release(key + CHANGE);
      };
      return [{ stored, release: releaseBoth }];
    });
  }

  #localText(key: string): string | null {
    const found: (string | null)[] = [];
    attempt(() => found.push(this.storage.getItem(key)));
    return found[0] ?? null;
  }

  #isOfOthers(key: string, image_id: number): boolean {
    return key !== this.#key(image_id) && (key === this.#keyOf(image_id) || key.startsWith(`${this.#keyOf(image_id)}:`));
  }

  /** Unless somebody has written it anew. */
  #release(key: string, text: string | undefined, slow_text: string | undefined): void {
    attempt(() => {
      if (text !== undefined && this.storage.getItem(key) === text) this.storage.removeItem(key);
    });
    if (slow_text !== undefined) this.overflow?.remove(key, slow_text).catch(ignoreRefusal);
  }

  /** True if local storage has it. */
  #keep(key: string, text: string): boolean {
    const is_local = attempt(() => this.storage.setItem(key, text));
    if (!is_local) {
      this.#unkept.add(key);
      // An older one must not come back in place of this one.
      attempt(() => this.storage.removeItem(key));
      this.onKept();
    } else this.#isKept(key);
    if (this.overflow !== null) void this.#keepSlowly(this.overflow, key, text, this.#count);
    return is_local;
  }

  async #keepSlowly(overflow: SlowStorage, key: string, text: string, count: number): Promise<void> {
    this.#slow.set(key, count);
    try {
      await overflow.put(key, text);
      if (this.#slow.get(key) === count) this.#isKept(key);
    } catch (error) {
      // The page says so where it is not kept at all.
      ignoreRefusal(error);
    }
  }

  #drop(key: string): void {
    attempt(() => this.storage.removeItem(key));
    if (this.#slow.delete(key)) this.overflow?.remove(key).catch(ignoreRefusal);
    this.#isKept(key);
  }

  /** Or nobody needs it any more. */
  #isKept(key: string): void {
    this.#unkept.delete(key);
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const work of waiting) work();
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

/** The slow storage is locked, full, or forbidden. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof DOMException)) throw error;
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
