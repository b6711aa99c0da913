import { Check, Settings2, TextSearch } from "lucide";
import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { repeat } from "lit/directives/repeat.js";

import { textOn } from "../../../state/color";
import { FEW_CLASSES, sortedBars, steadyBars, TOP_BARS, type Bar } from "../../../state/prediction";
import { depthOf } from "../../../state/class_tree";
import type { Readable } from "../../../state/signal";
import type { LabelClass } from "../../../state/types";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { percent } from "./text";

const REORDER_MS = 220;
/** More stand closer together, so that what is below them stays in sight. */
const ROOMY_CLASSES = 6;

/** Beside the image in a classification session: one button a class, and the bars of the prediction. */
export class ClassificationUI extends AppView {
  static override properties: PropertyDeclarations = { ...AppView.properties, all_bars: { state: true } };
  /** Of many classes, too. */
  declare all_bars: boolean;
  #tops = new Map<string, number>();
  #order: readonly number[] = [];
  #ordered_image: number | null = null;

  constructor() {
    super();
    this.all_bars = false;
  }

  protected watched(): readonly Readable<unknown>[] {
    const { classes, annotations, navigator, predictions, preferences } = this.app;
    return [classes, navigator.opened, annotations.current, predictions.shown, this.app.signs.learning, preferences];
  }

  protected override render(): TemplateResult {
    const { classes, ui, preferences } = this.app;
    const { auto_advance } = preferences.value;
    return html`
      <section class="card choice-card" aria-labelledby="classes-title">
        <div class="card-head">
          <h2 id="classes-title">Class of this image</h2>
          <button class="button ghost icon-only small" data-testid="open-palette" aria-label="Find a class by name" title="Class by name (.)"
            @click=${() => this.command("class-palette")}>${icon(TextSearch, 16)}</button>
          <button class="button ghost icon-only small" data-testid="edit-classes" aria-label="Edit classes" title=${this.tip("Edit classes", "classes")}
            @click=${() => ui.classes_open.set(true)}>${icon(Settings2, 16)}</button>
        </div>
        <div class="class-list ${classes.value.length > ROOMY_CLASSES ? "is-many" : ""}" role="radiogroup" aria-label="Class of this image">
          ${classes.value.map((label_class, index) => this.#classRow(label_class, index))}
        </div>
        <label class="check-row">
          <input type="checkbox" data-testid="auto-advance" .checked=${auto_advance}
            @change=${() => preferences.change({ auto_advance: !auto_advance })} />
          <span>Go to the next image after a choice</span>
        </label>
      </section>
      ${this.#prediction()}
    `;
  }

  #classRow(label_class: LabelClass, index: number): TemplateResult {
    const { annotations, labelling, navigator } = this.app;
    const selected = annotations.current.value.label?.class_id === label_class.id;
    return html`<button class="class-row" role="radio" data-testid="class-${label_class.id}" aria-checked=${selected}
      ?disabled=${navigator.image?.features === "failed"}
      style="--class-color: ${label_class.color}; --depth: ${depthOf(this.app.classes.value, label_class.id)}"
      @click=${({ timeStamp }: Event) => labelling.chooseClass(label_class.id, timeStamp)}>
      <span class="swatch"></span><span class="class-name">${label_class.name}</span>
      ${selected ? html`<span class="class-check">${icon(Check, 16)}</span>` : nothing}
      <kbd title=${index < 9 ? nothing : "By its name"}>${index < 9 ? index + 1 : this.app.keys.names("class-palette")}</kbd>
    </button>`;
  }

  #prediction(): TemplateResult {
    const { predictions, classes } = this.app;
    const shown = predictions.shown.value;
    const bars = this.#bars(sortedBars(classes.value, shown?.probabilities ?? []));
    const some = this.all_bars || bars.length <= FEW_CLASSES ? bars : bars.slice(0, TOP_BARS);
    const top = shown === null ? undefined : bars[0];
    return html`<section class="card bars-card" aria-labelledby="prediction-title">
      <div class="card-head">
        <h2 id="prediction-title">Prediction</h2>
        ${this.app.signs.learning.value ? html`<span class="chip is-busy">Learning…</span>` : nothing}
        ${shown === null
          ? html`<span class="hint" title="From then on every image comes up already predicted">after a few labels</span>`
          : top ? this.#badge(top) : nothing}
      </div>
      <div class="bars ${bars.length > ROOMY_CLASSES ? "is-many" : ""}" role="list" tabindex="0" aria-label="Probability of each class">
        ${repeat(some, ({ label_class }) => label_class.id, (bar) => this.#bar(bar, bar === top, shown !== null))}
      </div>
      ${bars.length > FEW_CLASSES
        ? html`<button class="button ghost small more-bars" data-testid="all-bars" aria-expanded=${this.all_bars} @click=${() => (this.all_bars = !this.all_bars)}>
            ${this.all_bars ? `Only the top ${TOP_BARS}` : `All ${bars.length} classes`}</button>`
        : nothing}
      <div class="button-row">
        <button class="button" data-testid="accept-prediction" ?disabled=${shown === null} title=${this.tip("Accept the prediction", "accept")}
          @click=${() => this.command("accept")}>${keyed(top?.label_class.id, html`${icon(Check, 16)}<span>Accept ${top ? top.label_class.name : ""}</span>`)}</button>
      </div>
    </section>`;
  }

  /** Of one image the order changes for what can be read only; another image begins anew. */
  #bars(bars: readonly Bar[]): readonly Bar[] {
    const image_id = this.app.annotations.image_id.value;
    const steady = steadyBars(bars, image_id === this.#ordered_image ? this.#order : []);
    this.#ordered_image = image_id;
    this.#order = steady.map(({ label_class }) => label_class.id);
    return steady;
  }

  #badge({ label_class, p }: Bar): TemplateResult {
    return html`<span class="badge" data-testid="top-class" data-class-id=${label_class.id}
      style="background: ${label_class.color}; color: ${textOn(label_class.color)}">${label_class.name} · ${percent(p)}</span>`;
  }

  /** `is_known`: there is a prediction; without one a bar of 0 % would be a statement. */
  #bar({ label_class, p }: Bar, is_top: boolean, is_known: boolean): TemplateResult {
    if (!is_known) {
      return html`<div class="bar is-unknown" role="listitem" data-testid="confidence-bar-${label_class.id}"
        data-class-id=${label_class.id} style="--class-color: ${label_class.color}; --p: 0">
        <span class="bar-name">${label_class.name}</span><span class="bar-figure" title="No prediction yet">–</span>
        <span class="bar-track"></span>
      </div>`;
    }
    return html`<div class="bar ${is_top ? "is-top" : ""}" role="listitem" data-testid="confidence-bar-${label_class.id}"
      data-class-id=${label_class.id} data-probability=${p.toFixed(4)} style="--class-color: ${label_class.color}; --p: ${p}">
      <span class="bar-name">${label_class.name}</span><span class="bar-figure">${percent(p)}</span>
      <span class="bar-track" role="meter" aria-label="Probability of ${label_class.name}" aria-valuemin="0" aria-valuemax="100"
        aria-valuenow=${Math.round(p * 100)}><span class="bar-fill"></span></span>
    </div>`;
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    this.#tops = new Map(this.#barElements().map((bar) => [bar.dataset.classId ?? "", bar.offsetTop]));
  }

  /** Bars glide from their old place in the order to the new one. */
  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const bar of this.#barElements()) {
      const before = this.#tops.get(bar.dataset.classId ?? "");
      if (before === undefined || before === bar.offsetTop) continue;
      const keyframes = [{ transform: `translateY(${before - bar.offsetTop}px)` }, { transform: "none" }];
      bar.animate(keyframes, { duration: REORDER_MS, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" });
    }
  }

  #barElements(): HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>(".bar")];
  }
}

customElements.define("fewclick-classification-ui", ClassificationUI);
