import type { Draft, SaveStatus } from "../state/types";
import type { DraftStorage, TakenDraft } from "./draft_storage";
import { pendingDraft, type Entry, type SaveStep } from "./save_steps";
import { trailText, type StoredTrail } from "./trail_text";
import type { KnownTrail, Trails } from "./trails";

/** A save that is answered sooner is never written to a storage; of a quick series only what changed, all steps with the last. */
const STORE_AFTER_MS = 150;

/** Where drafts that are found again go on from. */
export interface DraftSender {
  enqueue(image_id: number, draft: Draft, revision: number | null): void;
  /** As `SaveQueue.resume`. */
  resume(image_id: number, steps: readonly SaveStep[], trail: KnownTrail): boolean;
  /** As `SaveQueue.settled`. */
  settled(image_id: number): Promise<void>;
}

/** Keeps what the server does not have yet where it outlives the page, and finds it there again. */
export class DraftKeeper {
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Images to write when the time has come. */
  readonly #due = new Set<number>();
  /** With how many steps an image's text was too long. */
  readonly #too_long = new WeakMap<Entry, number>();

  constructor(
    private readonly drafts: DraftStorage,
    private readonly entries: ReadonlyMap<number, Entry>,
    private readonly trails: Trails,
  ) {}

  /** At once: the page is going away, or nobody else takes it. */
  store(): void {
    this.#stop();
    for (const image_id of this.entries.keys()) this.#store(image_id);
  }

  #store(image_id: number): void {
    const entry = this.entries.get(image_id);
    if (entry === undefined) return;
    const draft = pendingDraft(entry);
    if (draft === null) this.drafts.remove(image_id);
    else this.drafts.write({ image_id, revision: entry.revision, draft, trail: this.#trailText(image_id, entry) });
  }

  #trailText(image_id: number, entry: Entry): string | null {
    if (entry.steps.length >= (this.#too_long.get(entry) ?? Infinity)) return null;
    const trail = this.#trail(image_id, entry);
    const text = trail === null ? null : trailText(trail);
    // Longer it will not fit either.
    if (trail !== null && text === null) this.#too_long.set(entry, entry.steps.length);
    return text;
  }

  /** null where the draft says all: nothing was refused, and no more than one action waits. */
  #trail(image_id: number, { steps, revision, failures, turn, refused }: Entry): StoredTrail | null {
    const trail = this.trails.known(image_id);
    const [first] = steps;
    const is_waiting = failures > 0 || turn !== "free" || steps.length > 1 || (first?.kind === "save" && first.travel !== undefined);
    if (trail?.revision !== revision || refused !== null || !is_waiting) return null;
    const saves = steps.filter((step) => step.kind === "save");
    const { states, at } = trail;
    return saves.length < steps.length ? null : { steps: saves.map(({ draft, travel }) => ({ draft, travel })), trail: { states, at } };
  }

  storeSoon(image_id: number, status: SaveStatus): void {
    // With nobody to take it, the storage is the only place.
    const is_alone = status === "offline" || status === "refused";
    if (is_alone && !this.#storeChange(image_id)) this.#store(image_id);
    else this.#due.add(image_id);
    this.#timer ??= setTimeout(() => this.#storeDue(), STORE_AFTER_MS);
  }

  /** False where nothing of the image was stored before. */
  #storeChange(image_id: number): boolean {
    const entry = this.entries.get(image_id);
    const draft = entry ? pendingDraft(entry) : null;
    return entry !== undefined && draft !== null && this.drafts.writeChange({ image_id, revision: entry.revision, draft });
  }

  #storeDue(): void {
    const due = [...this.#due];
    this.#stop();
    for (const image_id of due) this.#store(image_id);
  }

  /** Nothing of the image waits any more. */
  remove(image_id: number): void {
    this.drafts.remove(image_id);
    this.#due.delete(image_id);
    if (this.entries.size === 0) this.#stop();
  }

  /** Send what an earlier visit, or another tab, could not; of one image one after the other. */
  async restore(sender: DraftSender): Promise<void> {
    const found = await this.drafts.takeOver();
    const later: TakenDraft[] = [];
    for (const taken of found) {
      if (this.entries.has(taken.stored.image_id)) later.push(taken);
      else this.#restoreOne(sender, taken);
    }
    void this.#restoreLater(sender, later);
  }

  async #restoreLater(sender: DraftSender, later: readonly TakenDraft[]): Promise<void> {
    for (const taken of later) {
      // What was refused has been told of.
      await sender.settled(taken.stored.image_id).catch(() => undefined);
      // Beside a refused one it stays where it is kept: the next visit takes it over.
      if (!this.entries.get(taken.stored.image_id)?.refused) this.#restoreOne(sender, taken);
    }
  }

  #restoreOne(sender: DraftSender, { stored: { image_id, revision, draft, trail }, release }: TakenDraft): void {
    const steps = trail?.steps.map((step): SaveStep => ({ kind: "save", is_step: true, ...step })) ?? [];
    const is_resumed = trail && sender.resume(image_id, steps, { ...trail.trail, revision });
    if (!is_resumed) sender.enqueue(image_id, draft, revision);
    this.store();
    // Where there is no room for a second one, the old one is the only one.
    this.drafts.whenKept(image_id, release);
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#due.clear();
  }
}
