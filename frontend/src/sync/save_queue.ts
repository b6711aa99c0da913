import { ApiError, explain, isFinal } from "../api/errors";
import { matches } from "../state/annotations";
import type { KeyValueStorage } from "../state/preferences";
import { Signal } from "../state/signal";
import type { Annotation, Draft, SaveStatus } from "../state/types";
import { DraftKeeper } from "./draft_keeper";
import { DraftStorage, type SlowStorage } from "./draft_storage";
import { NewestAnswers } from "./newest_answers";
import {
  addSave, answerToChange, answerToSave, backoffMs, currentOf, newEntry, pendingDraft, reasonOf, saysNothingCanBeSaved, type Change,
  type ChangeStep, type Entry, type Put,
} from "./save_steps"; // prettier-ignore

export interface SaveListener {
  saved(image_id: number, sent: Draft, answer: Annotation): void;
  /** The server made a change; `pending` is what was done here since, brought over to its answer. */
  changed(image_id: number, answer: Annotation, pending: Draft | null): void;
  /** Another change came first: `current` stands, `mine` was not saved. */
  conflict(image_id: number, mine: Draft, current: Annotation): void;
  /** The server will not take it as it is: it stays here until the person sends it again, changes it or discards it. */
  rejected(image_id: number, mine: Draft, reason: string): void;
}

export interface SaveTrouble {
  /** No answer at all, or one that says that the server cannot save. */
  readonly kind: "unreachable" | "refused";
  readonly reason: string;
}

/**
 * One ordered queue per image for everything that changes its annotation: one request in flight, of several saves in a
 * row the newest wins, a change by the server (undo, skip, ...) waits for the saves before it, and the saves after it
 * are brought over to its answer. What cannot be sent is kept in local storage and sent later. `status` says "saved"
 * only when the server has acknowledged everything.
 */
export class SaveQueue {
  readonly status = new Signal<SaveStatus>("saved");
  /** Why what was done last is not saved yet; null while nothing is wrong. */
  readonly trouble = new Signal<SaveTrouble | null>(null);
  /** Whether all that waits would outlive the page. */
  readonly is_kept = new Signal(true);
  readonly #entries = new Map<number, Entry>();
  readonly #answers = new NewestAnswers();
  readonly #put: Put;
  readonly #listener: SaveListener;
  readonly #keeper: DraftKeeper;

  constructor(put: Put, listener: SaveListener, storage: KeyValueStorage, storage_key: string, overflow: SlowStorage | null = null) {
    this.#put = put;
    this.#listener = listener;
    const drafts = new DraftStorage(storage, storage_key, overflow, () => this.is_kept.set(drafts.is_kept));
    this.#keeper = new DraftKeeper(drafts, this.#entries);
  }

  /** `revision` is the one that the draft was made on; ignored while an earlier step of the image is on its way. */
  enqueue(image_id: number, draft: Draft, revision: number | null, is_step = false): void {
    const entry = this.#entry(image_id, revision);
    if (entry.refused !== null) {
      entry.refused = null;
      // What was refused is not sent again on the way to what stands in its place.
      entry.steps.length = 0;
    }
    addSave(entry, draft, is_step);
    this.#scheduleStore();
    this.#advance(image_id, entry);
  }

  /** A change by the server, in its turn; `base` is what is on screen now. Rejects if it was not made. */
  change(image_id: number, base: Draft, revision: number | null, run: Change): Promise<Annotation> {
    const entry = this.#entry(image_id, revision);
    if (entry.refused !== null) return Promise.reject(entry.refused);
    return new Promise((resolve, reject) => {
      entry.steps.push({ kind: "change", base, run, resolve, reject });
      this.#advance(image_id, entry);
    });
  }

  /** The draft of an image that the server does not have yet. */
  pending(image_id: number): Draft | null {
    const entry = this.#entries.get(image_id);
    return entry ? pendingDraft(entry) : null;
  }

  /** Of `annotation` and the last answer to a change made here, the newer one. */
  newer(image_id: number, annotation: Annotation): Annotation {
    return this.#answers.newer(image_id, annotation);
  }

  /** Revision of the last answer to a change made here; -1 without one. */
  newest(image_id: number): number {
    return this.#answers.revision(image_id);
  }

  /** Send again what was refused. */
  retry(image_id: number): void {
    const entry = this.#entries.get(image_id);
    if (!entry?.refused) return;
    entry.refused = null;
    this.#advance(image_id, entry);
  }

  /** Forget what was refused. */
  discard(image_id: number): void {
    if (!this.#entries.get(image_id)?.refused) return;
    this.#drop(image_id);
    this.#updateStatus();
  }

  /**
   * Resolves when nothing of the image (of any image) waits or is under way; rejects if something was not taken. What
   * was refused before does not count among all images: it waits for the person.
   */
  async settled(image_id?: number): Promise<void> {
    const refused = image_id === undefined ? null : (this.#entries.get(image_id)?.refused ?? null);
    if (refused !== null) throw refused;
    const entries = [...this.#entries].filter(([id, entry]) => entry.refused === null && (image_id === undefined || id === image_id));
    const wait = ([, entry]: [number, Entry]) =>
      new Promise<void>((resolve, reject) => entry.waiters.push({ resolve, reject }));
    await Promise.all(entries.map(wait));
  }

  /** Try what waits now, for example because the connection is back; the rest follows in its order. */
  retryNow(): void {
    for (const [image_id, entry] of [...this.#entries]) this.#advance(image_id, entry);
  }

  /** Send what an earlier visit, or another tab, could not; of one image one after the other. */
  async restore(): Promise<void> {
    await this.#keeper.restore(this);
  }

  /** Keep what is not acknowledged, at once: the page is going away. */
  store(): void {
    this.#keeper.store();
  }

  #entry(image_id: number, revision: number | null): Entry {
    const found = this.#entries.get(image_id);
    if (found) return found;
    const entry = newEntry(revision);
    this.#entries.set(image_id, entry);
    return entry;
  }

  /** Send the first step; with none left the image is done. */
  #advance(image_id: number, entry: Entry): void {
    if (!entry.in_flight && entry.refused === null) this.#sendFirst(image_id, entry);
    this.#updateStatus();
  }

  #sendFirst(image_id: number, entry: Entry): void {
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.timer = null;
    if (this.#mustWait(entry)) {
      entry.turn = "waits";
      return;
    }
    if (entry.turn === "waits") entry.turn = "came";
    const step = entry.steps[0];
    if (step === undefined) {
      this.#drop(image_id);
      for (const { resolve } of entry.waiters.splice(0)) resolve();
      return;
    }
    entry.in_flight = true;
    if (step.kind === "save") {
      const sent = step.draft;
      this.#put(image_id, sent, entry.revision).then(
        (answer) => this.#saved(image_id, entry, sent, answer),
        (error: unknown) => this.#notSaved(image_id, entry, sent, error),
      );
      return;
    }
    step.run(entry.revision).then(
      (answer) => this.#changed(image_id, entry, step, answer),
      (error: unknown) => this.#notChanged(image_id, entry, step, error),
    );
  }

  /** While the server cannot save, one image asks whether it can again; the others keep their order behind it. */
  #mustWait(entry: Entry): boolean {
    for (const other of this.#entries.values()) {
      if (other === entry) return false;
      if (other.blocks || other.turn !== "free") return true;
    }
    return false;
  }

  #saved(image_id: number, entry: Entry, sent: Draft, answer: Annotation): void {
    this.#take(image_id, entry, answer);
    answerToSave(entry, sent, answer);
    this.#listener.saved(image_id, sent, answer);
    this.#advance(image_id, entry);
  }

  #notSaved(image_id: number, entry: Entry, sent: Draft, error: unknown): void {
    entry.in_flight = false;
    if (!isFinal(error)) {
      const wait_ms = backoffMs(entry.failures);
      entry.failures += 1;
      entry.blocks = saysNothingCanBeSaved(error);
      this.trouble.set({ kind: error instanceof ApiError ? "refused" : "unreachable", reason: reasonOf(error) });
      this.store();
      entry.timer = setTimeout(() => this.#advance(image_id, entry), wait_ms);
      this.#updateStatus();
      return;
    }
    const current = currentOf(error);
    // The answer to an earlier try was lost: the server has it already.
    if (current !== null && matches(current, sent)) this.#saved(image_id, entry, sent, current);
    else if (current !== null) this.#giveUp(image_id, entry, error, current);
    else this.#refuse(image_id, entry, sent, error);
  }

  /** Of what waits behind what was refused the newest may be sound: a person has mended it. If not, it stays. */
  #refuse(image_id: number, entry: Entry, sent: Draft, error: ApiError): void {
    const mine = pendingDraft(entry) ?? sent;
    const steps = entry.steps.splice(0);
    for (const step of steps) if (step.kind === "change") step.reject(error);
    entry.steps.push({ kind: "save", draft: mine, is_step: true });
    entry.failures = 0;
    entry.blocks = false;
    entry.turn = "free";
    if (mine !== sent) {
      this.#advance(image_id, entry);
      return;
    }
    entry.refused = error;
    this.store();
    this.#wakeOthers();
    this.#updateStatus();
    this.#listener.rejected(image_id, mine, explain(error));
    for (const { reject } of entry.waiters.splice(0)) reject(error);
  }

  #changed(image_id: number, entry: Entry, { base, resolve }: ChangeStep, answer: Annotation): void {
    this.#take(image_id, entry, answer);
    answerToChange(entry, base, answer);
    this.#listener.changed(image_id, answer, pendingDraft(entry));
    resolve(answer);
    this.#advance(image_id, entry);
  }

  #notChanged(image_id: number, entry: Entry, { reject }: ChangeStep, error: unknown): void {
    entry.in_flight = false;
    entry.steps.shift();
    reject(error);
    const current = currentOf(error);
    if (current !== null && current.revision !== entry.revision) this.#giveUp(image_id, entry, error, current);
    else this.#advance(image_id, entry);
  }

  #take(image_id: number, entry: Entry, answer: Annotation): void {
    entry.in_flight = false;
    entry.failures = 0;
    entry.blocks = false;
    entry.revision = answer.revision;
    entry.steps.shift();
    this.#answers.remember(image_id, answer);
  }

  /** Nothing that waits here may be done to a state that the person has not seen. */
  #giveUp(image_id: number, entry: Entry, error: unknown, current: Annotation): void {
    const mine = pendingDraft(entry);
    this.#drop(image_id);
    this.#updateStatus();
    if (mine !== null) this.#listener.conflict(image_id, mine, current);
    for (const step of entry.steps) if (step.kind === "change") step.reject(error);
    for (const { reject } of entry.waiters.splice(0)) reject(error);
  }

  #drop(image_id: number): void {
    this.#entries.delete(image_id);
    this.#keeper.remove(image_id);
    this.#wakeOthers();
  }

  #wakeOthers(): void {
    for (const [id, entry] of [...this.#entries]) if (entry.turn === "waits") this.#advance(id, entry);
  }

  #updateStatus(): void {
    const entries = [...this.#entries.values()];
    const is_stuck = entries.some((entry) => entry.failures > 0);
    const refused = entries.find((entry) => entry.refused !== null)?.refused ?? null;
    if (!is_stuck) this.trouble.set(refused === null ? null : { kind: "refused", reason: reasonOf(refused) });
    if (entries.length === 0) this.status.set("saved");
    else if (!is_stuck && refused !== null) this.status.set("refused");
    else this.status.set(is_stuck ? "offline" : "saving");
  }

  #scheduleStore(): void {
    // With nobody to take it, the storage is the only place.
    if (this.status.value === "offline" || this.status.value === "refused") this.store();
    else this.#keeper.storeSoon();
  }
}
