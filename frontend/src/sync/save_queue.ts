import { ApiError, explain, isFinal } from "../api/errors";
import type { KeyValueStorage } from "../state/preferences";
import { saidIn, type Travel } from "../state/trail";
import type { Annotation, Draft } from "../state/types";
import { DraftKeeper } from "./draft_keeper";
import { DraftStorage, type SlowStorage } from "./draft_storage";
import {
  addSave, addTravel, answerToChange, answerToSave, askAgain, becomesDraft, currentOf, isLastSaid, isTravelled, keepNewest, ledElsewhere, mayBeDoneHere,
  mustWait, newEntry, noteFailure, pendingDraft, reasonOf, takeLost, whenDone, withdrawTravels, type Change, type ChangeStep, type Entry, type Put,
  type SaveListener, type SaveStep,
} from "./save_steps"; // prettier-ignore
import { SaveSigns } from "./save_signs";
import { Trails, type KnownTrail } from "./trails";

export type { SaveListener } from "./save_steps";

/**
 * One ordered queue per image for everything that changes its annotation: one request in flight, of several saves in a
 * row the newest wins, a change by the server (undo, skip, ...) waits for the saves before it, and the saves after it
 * are brought over to its answer. What cannot be sent is kept in local storage and sent later. `status` says "saved"
 * only when the server has acknowledged everything.
 */
export class SaveQueue extends SaveSigns {
  readonly #entries = new Map<number, Entry>();
  readonly #trails = new Trails(this.#entries);
  readonly #put: Put;
  readonly #listener: SaveListener;
  readonly #keeper: DraftKeeper;

  constructor(put: Put, listener: SaveListener, storage: KeyValueStorage, storage_key: string, overflow: SlowStorage | null = null) {
    super();
    this.#put = put;
    this.#listener = listener;
    const drafts = new DraftStorage(storage, storage_key, overflow, () => this.is_kept.set(drafts.is_kept));
    this.#keeper = new DraftKeeper(drafts, this.#entries, this.#trails);
  }

  /**
   * `revision` is the one that the draft was made on; ignored while an earlier step of the image is on its way. `before`:
   * what was on screen then, for an undo without the server.
   */
  enqueue(image_id: number, draft: Draft, revision: number | null, is_step = false, before: Annotation | null = null): void {
    if (before !== null) this.#trails.see(image_id, this.#entries.get(image_id), before);
    const entry = this.#entry(image_id, revision);
    if (entry.refused !== null) {
      entry.refused = null;
      // What was refused is not sent again on the way to what stands in its place.
      entry.steps.length = 0;
    }
    // What cannot be sent now stays apart: each action is one that undo goes back by.
    addSave(entry, draft, is_step || this.status.value === "offline");
    this.#keeper.storeSoon(image_id, this.status.value);
    this.#advance(image_id, entry);
  }

  /** A change by the server, in its turn; `base` is what is on screen now. Rejects if it was not made. `isShown`: of undo and redo, as `ChangeStep` has it. */
  change(image_id: number, base: Draft, revision: number | null, run: Change, travel: Travel | null = null, isShown: ChangeStep["isShown"] = () => false): Promise<Annotation> {
    const entry = this.#entry(image_id, revision);
    if (entry.refused !== null) return Promise.reject(entry.refused);
    return new Promise((resolve, reject) => {
      entry.steps.push({ kind: "change", base, run, travel, isShown, is_asked_again: false, resolve, reject });
      this.#advance(image_id, entry);
    });
  }

  /**
   * Undo or redo of what is on screen, `now`, without waiting for the server: it is asked in its turn. The state that this
   * leads to, as a draft of `kind` where it has to be sent; null if that is not known here.
   */
  travel(image_id: number, travel: Travel, now: Annotation, kind: Draft["kind"]): Annotation | null {
    const waiting = this.#entries.get(image_id);
    this.#trails.see(image_id, waiting, now);
    const state = waiting?.refused ? null : this.#trails.target(image_id, waiting, travel);
    if (state === null) return null;
    const entry = this.#entry(image_id, now.revision);
    addTravel(entry, saidIn(state, kind), travel);
    this.#keeper.storeSoon(image_id, this.status.value);
    this.#advance(image_id, entry);
    return { ...state, ...this.#trails.reach(image_id, entry), revision: now.revision };
  }

  /** What can be undone and redone once all that waits is done; null if nothing waits, or that is not known. */
  reach(image_id: number): Pick<Annotation, "can_undo" | "can_redo"> | null {
    const entry = this.#entries.get(image_id);
    return entry?.steps.length ? this.#trails.reach(image_id, entry) : null;
  }

  /** The draft of an image that the server does not have yet. */
  pending(image_id: number): Draft | null {
    const entry = this.#entries.get(image_id);
    return entry ? pendingDraft(entry) : null;
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
    this.updateStatus(this.#entries);
  }

  /**
   * Resolves when nothing of the image (of any image) waits or is under way; rejects if something was not taken. What
   * was refused before does not count among all images: it waits for the person.
   */
  async settled(image_id?: number): Promise<void> {
    const refused = image_id === undefined ? null : this.#entries.get(image_id)?.refused;
    if (refused) throw refused;
    const entries = [...this.#entries].filter(([id, entry]) => entry.refused === null && (image_id === undefined || id === image_id));
    await Promise.all(entries.map(([, entry]) => whenDone(entry)));
  }

  /** Try what waits now, for example because the connection is back; the rest follows in its order. */
  retryNow(): void {
    for (const [image_id, entry] of [...this.#entries]) this.#advance(image_id, entry);
  }

  /** Steps that an earlier visit left, in place of their last draft. */
  resume(image_id: number, steps: readonly SaveStep[], trail: KnownTrail): boolean {
    if (this.#entries.has(image_id)) return false;
    this.#trails.take(image_id, trail);
    const entry = this.#entry(image_id, trail.revision);
    entry.steps.push(...steps);
    this.#advance(image_id, entry);
    return true;
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
    const entry = this.#entries.get(image_id) ?? newEntry(revision);
    this.#entries.set(image_id, entry);
    return entry;
  }

  /** Send the first step; with none left the image is done. */
  #advance(image_id: number, entry: Entry): void {
    if (!entry.in_flight && entry.refused === null) this.#sendFirst(image_id, entry);
    this.updateStatus(this.#entries);
  }

  #sendFirst(image_id: number, entry: Entry): void {
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.timer = null;
    if (mustWait(this.#entries.values(), entry)) {
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
      this.#put(image_id, sent, entry.revision, step.travel ?? null).then(
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

  #saved(image_id: number, entry: Entry, sent: Draft, answer: Annotation): void {
    const is_elsewhere = ledElsewhere(entry, sent, answer);
    this.#take(image_id, entry, answer);
    if (is_elsewhere) answerToChange(entry, sent, answer);
    else answerToSave(entry, sent, answer);
    if (is_elsewhere) this.#listener.changed(image_id, answer, pendingDraft(entry));
    else this.#listener.saved(image_id, sent, answer);
    this.#advance(image_id, entry);
  }

  #notSaved(image_id: number, entry: Entry, sent: Draft, error: unknown): void {
    entry.in_flight = false;
    if (!isFinal(error)) {
      withdrawTravels(entry, error);
      this.#sendLater(image_id, entry, error);
      return;
    }
    const current = currentOf(error);
    const lost = current === null ? null : takeLost(entry, current);
    if (current === null) this.#refuse(image_id, entry, sent, error);
    else if (lost !== null) {
      this.#trails.pass(image_id, entry.revision, lost.before);
      this.#saved(image_id, entry, lost.made.draft, current);
    } else if (becomesDraft(entry, current)) this.#advance(image_id, entry);
    else this.#giveUp(image_id, entry, error, current);
  }

  #sendLater(image_id: number, entry: Entry, error: unknown): void {
    const wait_ms = noteFailure(entry, error);
    this.trouble.set({ kind: error instanceof ApiError ? "refused" : "unreachable", reason: reasonOf(error) });
    // Asked again, it waits as before.
    if (entry.failures === 1) this.store();
    entry.timer = setTimeout(() => this.#advance(image_id, entry), wait_ms);
    this.updateStatus(this.#entries);
  }

  /** Of what waits behind what was refused the newest may be sound: a person has mended it. If not, it stays. */
  #refuse(image_id: number, entry: Entry, sent: Draft, error: ApiError): void {
    const mine = keepNewest(entry, sent, error);
    if (mine !== sent) {
      this.#advance(image_id, entry);
      return;
    }
    entry.refused = error;
    this.store();
    this.#wakeOthers();
    this.updateStatus(this.#entries);
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

  #notChanged(image_id: number, entry: Entry, step: ChangeStep, error: unknown): void {
    entry.in_flight = false;
    const lost = isFinal(error) ? null : step.travel;
    if (lost !== null && !(mayBeDoneHere(entry, step) && this.#trails.knows(image_id, entry.revision, lost))) {
      askAgain(step, error);
      this.#sendLater(image_id, entry, error);
      return;
    }
    const current = currentOf(error);
    if (current !== null && isTravelled(entry, step, current)) {
      this.#changed(image_id, entry, step, current);
      return;
    }
    entry.steps.shift();
    if (lost !== null) withdrawTravels(entry, error, step);
    else step.reject(error);
    if (current !== null && current.revision !== entry.revision) this.#giveUp(image_id, entry, error, current);
    else this.#advance(image_id, entry);
  }

  #take(image_id: number, entry: Entry, answer: Annotation): void {
    this.#trails.answered(image_id, entry.revision, answer, entry.steps[0]?.travel ?? null);
    entry.in_flight = false;
    entry.failures = 0;
    entry.blocks = false;
    entry.revision = answer.revision;
    entry.steps.shift();
    // Whoever takes over what is left need not do it again.
    if (entry.steps.length > 0) this.#keeper.storeSoon(image_id, "saving");
    this.answers.remember(image_id, answer);
  }

  /** Nothing that waits here may be done to a state that the person has not seen. */
  #giveUp(image_id: number, entry: Entry, error: unknown, current: Annotation): void {
    const mine = pendingDraft(entry);
    const is_nothing_lost = this.#trails.isAsBefore(image_id, entry) || isLastSaid(entry, current);
    this.#trails.forget(image_id);
    this.#drop(image_id);
    this.updateStatus(this.#entries);
    if (mine === null || is_nothing_lost) this.#listener.changed(image_id, current, null);
    else this.#listener.conflict(image_id, mine, current);
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
}
