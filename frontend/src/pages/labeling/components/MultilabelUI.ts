import { Check, ChevronRight, Settings2, TextSearch } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import { blocks, suggested, type ClassBlock } from "../../../state/class_sets";
import { depthOf } from "../../../state/class_tree";
import type { Readable } from "../../../state/signal";
import type { LabelClass } from "../../../state/types";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { percent } from "./text";

/** What stands on the open image, and what the head would say. */
interface Shown {
  /** null while nobody has answered. */
  readonly held: readonly number[] | null;
  readonly probabilities: ReadonlyMap<number, number> | null;
  /** What accepting would answer; null where there is no prediction, or nothing to accept. */
  readonly suggestion: readonly number[] | null;
}

/** Beside the image in a multi-label session: a switch a class with the bar of its prediction, groups as blocks. */
export class MultilabelUI extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { classes, annotations, navigator, predictions } = this.app;
    return [classes, navigator.opened, annotations.current, predictions.shown, this.app.signs.learning];
  }

  protected override render(): TemplateResult {
    const { classes, ui } = this.app;
    const shown = this.#shown();
    return html`
      <section class="card multilabel" aria-labelledby="classes-title">
        <div class="card-head">
          <h2 id="classes-title">Classes of this image</h2>
          ${this.app.signs.learning.value ? html`<span class="chip is-busy">Learning…</span>` : nothing}
          <button class="button ghost icon-only small" data-testid="open-palette" aria-label="Find a class by name" title="Class by name (.)"
            @click=${() => this.command("class-palette")}>${icon(TextSearch, 16)}</button>
          <button class="button ghost icon-only small" data-testid="edit-classes" aria-label="Edit classes" title=${this.tip("Edit classes", "classes")}
            @click=${() => ui.classes_open.set(true)}>${icon(Settings2, 16)}</button>
        </div>
        ${this.#state(shown)}
        <div class="class-blocks">${blocks(classes.value).map((block) => this.#block(block, shown))}</div>
        ${this.#noneRow(shown)}
        <div class="button-row">${this.#mainButton(shown)}</div>
      </section>
    `;
  }

  #shown(): Shown {
    const { annotations, predictions, classes } = this.app;
    const held = annotations.current.value.labels?.map(({ class_id }) => class_id) ?? null;
    const { value: prediction } = predictions.shown;
    const probabilities = prediction === null ? null : new Map(prediction.probabilities.map(({ class_id, p }) => [class_id, p]));
    const suggestion = prediction === null || held !== null ? null : suggested(classes.value, prediction.probabilities);
    return { held, probabilities, suggestion };
  }

  #state({ held, suggestion }: Shown): TemplateResult {
    const [name, text] =
      held !== null
        ? ["answered", "Answered. Every change is saved at once."]
        : suggestion !== null
          ? ["suggested", "Suggested, not answered: accept, or choose."]
          : ["open", "Not answered yet: choose all that hold."];
    return html`<p class="answer-state is-${name}" data-testid="answer-state" data-state=${name} aria-live="polite">${text}</p>`;
  }

  #block({ group, classes }: ClassBlock, shown: Shown): TemplateResult {
    const rows = classes.map(({ label_class, index }) => this.#row(label_class, index, shown, group !== null));
    if (group === null) return html`<div class="class-list" role="group" aria-label="Any of these">${rows}</div>`;
    return html`<div class="class-group" data-testid="class-group" data-group=${group}>
      <h3 class="class-group-name">${group}<span>one at most</span></h3>
      <div class="class-list" role="radiogroup" aria-label="${group}: one at most">${rows}</div>
    </div>`;
  }

  #row(label_class: LabelClass, index: number, shown: Shown, is_exclusive: boolean): TemplateResult {
    const { id, name, color } = label_class;
    const is_held = shown.held?.includes(id) ?? false;
    const is_suggested = shown.suggestion?.includes(id) ?? false;
    return html`<button class="class-row switch-row ${is_suggested ? "is-suggested" : ""}" role=${is_exclusive ? "radio" : "checkbox"}
      data-testid="class-${id}" data-suggested=${is_suggested} aria-checked=${is_held} style="--class-color: ${color}; --depth: ${depthOf(this.app.classes.value, id)}"
      ?disabled=${this.app.navigator.image?.features === "failed"} @click=${({ timeStamp }: Event) => this.app.labelling.chooseClass(id, timeStamp)}>
      <span class="class-mark ${is_exclusive ? "is-round" : ""}">${is_held ? icon(Check, 13) : nothing}</span>
      <span class="class-name">${name}</span>
      ${this.#bar(label_class, shown.probabilities)}
      ${index < 9 ? html`<kbd>${index + 1}</kbd>` : nothing}
    </button>`;
  }

  /** `probabilities` null: without a prediction a bar of 0 % would be a statement. */
  #bar({ id, name }: LabelClass, probabilities: ReadonlyMap<number, number> | null): TemplateResult {
    const p = probabilities?.get(id);
    if (p === undefined) {
      return html`<span class="switch-bar is-unknown" data-testid="confidence-bar-${id}" title="No prediction yet">
        <span class="bar-figure">–</span><span class="bar-track"></span></span>`;
    }
    return html`<span class="switch-bar" data-testid="confidence-bar-${id}" data-probability=${p.toFixed(4)} style="--p: ${p}">
      <span class="bar-figure">${percent(p)}</span>
      <span class="bar-track" role="meter" aria-label="Probability of ${name}" aria-valuemin="0" aria-valuemax="100"
        aria-valuenow=${Math.round(p * 100)}><span class="bar-fill"></span></span>
    </span>`;
  }

  #noneRow({ held, suggestion }: Shown): TemplateResult {
    const is_chosen = held?.length === 0;
    const is_suggested = suggestion?.length === 0;
    return html`<button class="class-row switch-row none-row ${is_suggested ? "is-suggested" : ""}" role="checkbox" data-testid="none"
      aria-checked=${is_chosen} data-suggested=${is_suggested} title=${this.tip("None of the classes", "none")}
      ?disabled=${this.app.navigator.image?.features === "failed"} @click=${() => this.command("none")}>
      <span class="class-mark">${is_chosen ? icon(Check, 13) : nothing}</span>
      <span class="class-name">None of these</span><kbd>0</kbd>
    </button>`;
  }

  /** Enter: accept what is suggested, and once there is an answer, go on. */
  #mainButton({ held, suggestion }: Shown): TemplateResult {
    if (held !== null) {
      return html`<button class="button primary" data-testid="answer-next" title=${this.tip("Next image", "accept")}
        @click=${() => this.command("accept")}><span>Next image</span>${icon(ChevronRight, 16)}</button>`;
    }
    const names = this.app.classes.value.filter(({ id }) => suggestion?.includes(id)).map(({ name }) => name);
    const what = suggestion === null ? "" : names.length === 0 ? "none of these" : names.join(", ");
    return html`<button class="button" data-testid="accept-prediction" ?disabled=${suggestion === null}
      title=${this.tip("Accept the prediction", "accept")} @click=${() => this.command("accept")}>${icon(Check, 16)}<span>Accept ${what}</span></button>`;
  }
}

customElements.define("fewclick-multilabel-ui", MultilabelUI);
