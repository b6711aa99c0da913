import { BadgeCheck, CheckCheck, CircleDashed, SkipForward, Tag, Trash2, X } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import { explain } from "../../../api/errors";
import type { App } from "../../../app";
import { acceptQuestion, bySight, MOST_UNASKED, type BulkAction, type BulkChange, type BulkImage } from "../../../state/bulk";
import { asksModel } from "../../../state/image_filter";
import type { Command } from "../../../state/keymap";
import { MOST_SELECTED, without, type Selection } from "../../../state/selection";
import { Signal } from "../../../state/signal";
import { icon } from "./icon";
import { counted, grouped } from "../../../state/words";

/** Classes with a button of their own; the others are found by name. */
const MOST_BUTTONS = 6;

/** Many predictions, to be accepted once the person says so. */
export interface AcceptQuestion {
  readonly text: string;
  readonly ids: readonly number[];
  /** The list that it was asked of. */
  readonly listed: ReadonlySet<number>;
}

/** What is done to the selection of the gallery: by a key, by a button, from the palette. */
export class GalleryActions {
  readonly #asked = new Signal<AcceptQuestion | null>(null);

  constructor(
    private readonly of: () => App,
    private readonly selection: () => Selection,
    private readonly select: (selection: Selection) => void,
  ) {}

  /** A class for all that are selected; of several, one that all of them have goes again. */
  async choose(class_id: number): Promise<void> {
    const { classes, config, bulk, noteClass } = this.of();
    const name = classes.value.find(({ id }) => id === class_id)?.name ?? "";
    if (!this.#anySelected()) return;
    noteClass(class_id);
    const by_model = this.#byModel();
    const images = this.#images();
    if (config.task !== "multilabel") await this.#finish({ action: "label", images, class_id, by_model }, `labelled ${name}`);
    // Another class may follow, so these stay selected.
    else if (this.#allHave(class_id)) await bulk.change({ action: "remove", images, class_id }, `no longer ${name}`);
    else await bulk.change({ action: "add", images, class_id, by_model }, `labelled ${name}`);
  }

  async accept(): Promise<void> {
    if (this.#anySelected()) await this.#accept([...this.selection().ids]);
  }

  /** null once another list is shown. */
  get question(): AcceptQuestion | null {
    const { value: asked } = this.#asked;
    return asked?.listed === this.of().gallery.listed.value ? asked : null;
  }

  /** `listener` hears when a question is asked or answered. */
  onQuestion(listener: () => void): () => void {
    return this.#asked.subscribe(listener);
  }

  /** A question that the selection's bar hides must not be answered unseen. */
  selectionChanged(): void {
    if (this.selection().ids.size > 0) this.#asked.set(null);
  }

  answer(accept: boolean): void {
    const { question } = this;
    this.#asked.set(null);
    if (accept && question !== null) void this.#accept(question.ids);
  }

  /** All of the list that have no answer yet; where they are many, said a second time. */
  async acceptAll(): Promise<void> {
    const { acceptable, toasts } = this.of();
    if (this.question !== null) {
      this.answer(true);
      return;
    }
    try {
      const { ids, total, refusal } = await acceptable.find(MOST_SELECTED);
      if (total === null) toasts.show("info", refusal ?? "");
      else if (total > MOST_SELECTED) {
        toasts.show("info", `${counted(total, "image")} shown are unlabelled, one change takes ${grouped(MOST_SELECTED)}: narrow the filter down, or select some.`);
      } else if (total === 0) toasts.show("info", "No image shown is unlabelled: there is nothing to accept.");
      else if (!this.#ask(ids)) await this.#accept(ids);
    } catch (error) {
      toasts.show("error", explain(error));
    }
  }

  async simple(action: BulkAction, what: string): Promise<void> {
    if (this.#anySelected()) await this.#finish({ action, images: this.#images(), by_model: this.#byModel() }, what);
  }

  /** None of the classes, where an image may have several. */
  async none(): Promise<void> {
    if (this.of().config.task !== "multilabel" || !this.#anySelected()) return;
    await this.#finish({ action: "label", images: this.#images(), class_ids: [], by_model: this.#byModel() }, "answered with none of the classes");
  }

  run(command: Command, open: () => void, escape: () => boolean): boolean {
    this.selectionChanged();
    const has_selection = this.selection().ids.size > 0;
    const actions: Partial<Record<Command, () => void>> = {
      accept: () => (has_selection ? void this.accept() : open()),
      "accept-next": () => void (has_selection ? this.accept() : this.acceptAll()),
      undo: () => void this.of().bulk.undo(),
      redo: () => void this.of().bulk.redo(),
      skip: () => void this.simple("skip", "skipped"),
      undetermined: () => void this.simple("undetermined", "marked undetermined"),
      remove: () => void this.simple("clear", "cleared"),
      none: () => void this.none(),
    };
    if (command === "escape" && this.question !== null) {
      this.answer(false);
      return true;
    }
    if (command === "escape") return escape();
    actions[command]?.();
    return actions[command] !== undefined;
  }

  /** False where they are few enough to be accepted at once. */
  #ask(ids: readonly number[]): boolean {
    const { gallery } = this.of();
    const { seen } = bySight(ids, (id) => gallery.seen(id));
    if (seen.length <= MOST_UNASKED) return false;
    const confidences = seen.map(({ id }) => gallery.confidence(id)).filter((value) => value !== null);
    this.#asked.set({ text: acceptQuestion(seen.length, confidences), ids, listed: gallery.listed.value });
    return true;
  }

  async #accept(ids: readonly number[]): Promise<void> {
    const { gallery, toasts } = this.of();
    const { seen, unseen } = bySight(ids, (id) => gallery.seen(id));
    if (seen.length > 0) await this.#finish({ action: "accept", images: seen, by_model: true }, "accepted as predicted");
    if (unseen.length === 0) return;
    const what = `${counted(unseen.length, "image")} ${unseen.length === 1 ? "was" : "were"}`;
    toasts.show("warning", `${what} never in sight and left alone.`, {
      action: { text: "Accept unseen", run: () => void this.#acceptUnseen(unseen) },
    });
  }

  /** The person said so; what has come into sight meanwhile is accepted as seen. */
  async #acceptUnseen(ids: readonly number[]): Promise<void> {
    const { gallery, bulk } = this.of();
    const images = ids.map((id) => gallery.seen(id));
    await bulk.change({ action: "accept", images, unseen: true, by_model: true }, "accepted unseen");
  }

  /** What is answered is no longer selected, so that the next ones can be; undo selects it again; what the server did not take stays for another try. */
  async #finish(change: BulkChange, what: string): Promise<void> {
    const { ids } = this.selection();
    this.select(without(this.selection(), ids));
    const not_taken = await this.of().bulk.change(change, what, [...ids]);
    if (not_taken.length > 0) this.reselect(not_taken, true);
  }

  /** Unless something else was selected meanwhile. */
  reselect(ids: readonly number[], selects: boolean): void {
    const { listed } = this.of().gallery;
    const now = this.selection();
    if (!selects) this.select(without(now, new Set(ids)));
    else if (now.ids.size === 0) this.select({ ...now, ids: new Set(ids.filter((id) => listed.value.has(id))) });
  }

  #images(): BulkImage[] {
    const { gallery } = this.of();
    return [...this.selection().ids].map((id) => {
      const known = gallery.seen(id);
      return known.revision === undefined ? known : { id, revision: known.revision };
    });
  }

  #byModel(): boolean {
    const { filter, gallery_sort } = this.of();
    return asksModel(filter.value, gallery_sort.value);
  }

  #allHave(class_id: number): boolean {
    const { gallery } = this.of();
    return [...this.selection().ids].every((id) => gallery.image(id)?.class_ids?.includes(class_id) === true);
  }

  #anySelected(): boolean {
    if (this.selection().ids.size > 0) return true;
    this.of().toasts.show("info", "Select images first: click one, Shift+click a range, or drag a rectangle.");
    return false;
  }
}

/** Below the gallery: what can be done to the selection, or to all that is shown. Always there, so that nothing jumps. */
export function bulkBar(app: App, actions: GalleryActions, ids: ReadonlySet<number>, clear: () => void): TemplateResult {
  const { size } = ids;
  const busy = app.bulk.busy.value;
  if (size === 0 && actions.question !== null) return questionBar(actions, actions.question, busy);
  if (size === 0) return html`<div class="bulk-bar" data-testid="bulk-bar">${nothingSelected(app, actions, busy)}</div>`;
  const button = (test_id: string, title: string, node: typeof Tag, text: string, run: () => void): TemplateResult =>
    html`<button class="button small" data-testid=${test_id} title=${title} ?disabled=${busy} @click=${run}>${icon(node, 15)}<span>${text}</span></button>`;
  return html`<div class="bulk-bar is-active" data-testid="bulk-bar" role="toolbar" aria-label="Selected images">
    <span class="bulk-count" role="status" data-testid="selected-count"><strong>${grouped(size)}</strong> selected</span>
    <button class="button ghost icon-only small" aria-label="Select nothing" title="Select nothing (Esc)" @click=${clear}>${icon(X, 15)}</button>
    <span class="divider"></span>
    <div class="bulk-classes">
      ${app.classes.value.slice(0, MOST_BUTTONS).map(({ id, name, color }, index) => html`<button class="button small bulk-class" data-testid="bulk-class-${id}"
        style="--class-color: ${color}" title="Label the selection ${name} (${index + 1})" ?disabled=${busy} @click=${() => void actions.choose(id)}>
        <span class="swatch"></span><span class="bulk-class-name">${name}</span><kbd>${index + 1}</kbd></button>`)}
    </div>
    ${button("bulk-palette", "Find a class by name (.)", Tag, "Class…", () => app.ui.class_palette_open.set(true))}
    <span class="spacer"></span>
    ${button("bulk-accept", "Accept the predictions of the selection (Enter)", CheckCheck, "Accept", () => void actions.accept())}
    ${button("bulk-confirm", "Reviewed: accepted labels count as yours", BadgeCheck, "Reviewed", () => void actions.simple("confirm", "marked reviewed"))}
    <button class="button small is-worded" data-testid="bulk-undetermined" aria-label="Undetermined" title=${app.keys.tip("Undetermined: a person looked and nobody can tell. An answer: they count as seen. Labels on these images are taken off", "undetermined")} ?disabled=${busy}
      @click=${() => void actions.simple("undetermined", "marked undetermined")}>${icon(CircleDashed, 15)}<span>Undetermined</span></button>
    <button class="button small is-worded" data-testid="bulk-skip" aria-label="Skip" title=${app.keys.tip("Skip: not now, or not wanted; they can be labelled later. Labels on these images are taken off", "skip")} ?disabled=${busy}
      @click=${() => void actions.simple("skip", "skipped")}>${icon(SkipForward, 15)}<span>Skip</span></button>
    <button class="button small is-worded" data-testid="bulk-clear" aria-label="Remove the labels" title="Remove the labels (Del)" ?disabled=${busy}
      @click=${() => void actions.simple("clear", "cleared")}>${icon(Trash2, 15)}<span>Remove the labels</span></button>
  </div>`;
}

function questionBar(actions: GalleryActions, { text }: AcceptQuestion, busy: boolean): TemplateResult {
  return html`<div class="bulk-bar is-active" data-testid="bulk-bar" role="alert">
    <span data-testid="accept-question">${text} Narrow the confidence down to accept the sure ones alone.</span>
    <span class="spacer"></span>
    <button class="button small" data-testid="accept-not" title="Cancel (Esc)" @click=${() => actions.answer(false)}>Cancel</button>
    <button class="button small primary" data-testid="accept-all-confirm" title="Accept them (Ctrl+Enter)" ?disabled=${busy}
      @click=${() => actions.answer(true)}>${icon(CheckCheck, 15)}<span>Accept</span></button>
  </div>`;
}

function nothingSelected(app: App, actions: GalleryActions, busy: boolean): TemplateResult {
  const { value: open } = app.acceptable.total;
  return html`<span class="bulk-hint">Click selects, <kbd>Shift</kbd> a range, drag a rectangle; then <kbd>1</kbd>–<kbd>9</kbd> or <kbd>.</kbd> labels all of it.
      Double-click opens.</span>
    <span class="spacer"></span>
    ${open !== 0 && app.gallery.state.value.total !== 0
      ? html`<button class="button small" data-testid="accept-all" title="Accept the predictions of all unlabelled images shown (Ctrl+Enter)" ?disabled=${busy}
          @click=${() => void actions.acceptAll()}>${icon(CheckCheck, 15)}<span>Accept ${open === null ? "all" : `the ${grouped(open)}`} unlabelled</span></button>`
      : nothing}`;
}
