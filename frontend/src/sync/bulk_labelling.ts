import type { Api } from "../api/client";
import { explain } from "../api/errors";
import { BulkHistory, SETS_ASIDE, outcomeText, type BulkAction, type BulkChange, type BulkOutcome } from "../state/bulk";
import { Signal } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import type { SaveQueue } from "./save_queue";

/** Changes of many images: one request each, one step of undo each. */
export class BulkLabelling {
  readonly busy = new Signal(false);
  /** What had been selected for the step that was undone (to be selected again) or redone (no longer) last. */
  readonly reselected = new Signal<{ readonly ids: readonly number[]; readonly selects: boolean }>({ ids: [], selects: false });
  readonly #history = new BulkHistory();
  #told = "";

  constructor(
    private readonly api: Api,
    private readonly saves: SaveQueue,
    private readonly toasts: ToastStore,
    private readonly onChanged: (changed: BulkOutcome["changed"]) => void,
  ) {}

  /**
   * `what`: in words, as "labelled lion". `selected`: what was selected for it, and is not any more. Which of these the server
   * did not take; all where nothing was changed.
   */
  async change(change: BulkChange, what: string, selected: readonly number[] = []): Promise<readonly number[]> {
    const outcome = await this.#send(change);
    if (outcome === null) return selected;
    const done = outcome.changed.length > 0;
    const not_taken = new Set([...outcome.conflicts, ...outcome.refused]);
    const step = { what, images: outcome.changed, selected: selected.filter((id) => !not_taken.has(id)) };
    if (done) this.#history.did(step);
    const action = done ? { action: { text: "Undo", run: () => void (this.#history.toUndo === step && this.undo()) } } : {};
    this.#withdraw();
    this.#told = outcomeText(outcome, what, SETS_ASIDE.has(change.action));
    this.toasts.show(outcome.conflicts.length > 0 ? "warning" : done ? "success" : "info", this.#told, action);
    return done ? selected.filter((id) => not_taken.has(id)) : selected;
  }

  async undo(): Promise<void> {
    await this.#step("undo", "Nothing done in the gallery is left to undo.");
  }

  async redo(): Promise<void> {
    await this.#step("redo", "Nothing undone in the gallery is left to redo.");
  }

  /** What was told of the step before no longer offers to take it back. */
  #withdraw(): void {
    for (const { id, text } of this.toasts.value) if (text === this.#told) this.toasts.dismiss(id);
  }

  async #step(action: "undo" | "redo", nothing: string): Promise<void> {
    if (this.busy.value) return;
    const step = action === "undo" ? this.#history.toUndo : this.#history.toRedo;
    if (step === null) {
      this.toasts.show("info", nothing);
      return;
    }
    const outcome = await this.#send({ action, images: step.images });
    if (outcome === null) return;
    this.#withdraw();
    if (action === "undo") this.#history.undid(outcome.changed);
    else this.#history.redid(outcome.changed);
    this.reselected.set({ ids: step.selected, selects: action === "undo" });
    this.toasts.show("info", outcomeText(outcome, action === "undo" ? `no longer ${step.what}` : `${step.what} again`));
  }

  async #send(change: { readonly action: BulkAction } & Partial<BulkChange>): Promise<BulkOutcome | null> {
    if (this.busy.value) return null;
    this.busy.set(true);
    try {
      if (!(await this.#isSaved())) {
        this.toasts.show("warning", "Not now: the server does not answer, and what you did last is not saved yet.");
        return null;
      }
      const outcome = await this.api.changeMany(change);
      this.onChanged(outcome.changed);
      return outcome;
    } catch (error) {
      this.toasts.show("error", `Nothing was changed: ${explain(error)}`);
      return null;
    } finally {
      this.busy.set(false);
    }
  }

  /** What was done to one of these images before comes before. False: it cannot, as the server does not answer. */
  async #isSaved(): Promise<boolean> {
    const { status } = this.saves;
    if (status.value === "offline") return false;
    let stop = (): void => undefined;
    const gone = new Promise<boolean>((resolve) => {
      stop = status.subscribe((now) => {
        if (now === "offline") resolve(false);
      });
    });
    // What was refused has been told of.
    const settled = this.saves.settled().then(() => true, () => true);
    return Promise.race([settled, gone]).finally(stop);
  }
}
