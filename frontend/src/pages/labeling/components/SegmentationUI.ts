import { Check, Eraser, Settings2, Sparkles } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import { onlyClassText } from "../../../state/only_class";
import type { OverlayStyle } from "../../../state/preferences";
import { areaShares } from "../../../state/prediction";
import { depthOf } from "../../../state/class_tree";
import type { Readable } from "../../../state/signal";
import type { LabelClass } from "../../../state/types";
import { counted, markedText } from "../../../state/words";
import { isExtracted } from "../../../sync/extracted_points";
import { AppView } from "./AppView";
import "./RegionList";
import { icon } from "./icon";
import { percent } from "./text";

const STYLE_NAMES: readonly (readonly [OverlayStyle, string, string])[] = [
  ["certainty", "Classes", "The colour of the most likely class, fainter where the prediction is less sure"],
  ["confidence", "Confidence", "From red to green: how sure the prediction is of one class"],
  ["classes", "Mask", "The most likely class everywhere, in full colour, however sure"],
  ["uncertainty", "Doubt", "Yellow where two classes are almost as likely: a point helps most there"],
  ["contour", "Outline", "Only the borders between the classes"],
];

/** Beside the image in a segmentation session: the class of the next point, and how the prediction is shown. */
export class SegmentationUI extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { classes, labelling, navigator, preferences, signs, tools } = this.app;
    return [tools.tool, classes, navigator.opened, labelling.selected_class_id, signs.learning, preferences];
  }

  protected override watchedAtLeisure(): readonly Readable<unknown>[] {
    return [this.app.annotations.current, this.app.predictions.shown, this.app.stats.stats];
  }

  protected override render(): TemplateResult {
    const { classes, only_class, ui } = this.app;
    return html`
      <section class="card class-card" aria-labelledby="classes-title">
        <div class="card-head">
          <h2 id="classes-title">Class</h2>
          ${only_class === null ? nothing : html`<span class="one-class-note">${onlyClassText(only_class)}</span>`}
          <button class="button ghost icon-only small" data-testid="edit-classes" aria-label="Edit classes" title=${this.tip("Edit classes", "classes")}
            @click=${() => ui.classes_open.set(true)}>${icon(Settings2, 16)}</button>
        </div>
        <div class="class-list" role="radiogroup" aria-label="Class of the next point or region">
          ${classes.value.map((label_class, index) => this.#classRow(label_class, index))}
        </div>
        ${this.app.tools.tool.value !== "points" ? nothing : classes.value.length === 2
          ? html`<p class="hint">Left click: a point of the chosen class. Right click: removes the nearest point within reach; where there is none, adds one of the other class.</p>`
          : html`<p class="hint">Left click: a point of the chosen class. Right click: removes the nearest point within reach.</p>`}
      </section>
      <fewclick-region-list .app=${this.app}></fewclick-region-list>
      ${this.#prediction()}
    `;
  }

  #choose(class_id: number): void {
    this.dispatchEvent(new CustomEvent<number>("fewclick-class", { detail: class_id, bubbles: true }));
  }

  #classRow(label_class: LabelClass, index: number): TemplateResult {
    const { annotations, labelling, navigator } = this.app;
    const selected = labelling.selected_class_id.value === label_class.id;
    const of_class = ({ class_id }: { readonly class_id: number | null }): boolean => class_id === label_class.id;
    const marked = { points: annotations.current.value.points.filter(of_class).length, regions: annotations.regions.filter(of_class).length };
    const count = marked.points + marked.regions;
    return html`<button class="class-row" role="radio" data-testid="class-${label_class.id}" aria-checked=${selected}
      ?disabled=${navigator.image?.features === "failed"}
      style="--class-color: ${label_class.color}; --depth: ${depthOf(this.app.classes.value, label_class.id)}"
      @click=${() => this.#choose(label_class.id)}>
      <span class="swatch"></span><span class="class-name">${label_class.name}</span>
      <span class="count" data-testid="count-of-${label_class.id}" title=${count > 0 ? `${markedText(marked)} on this image` : nothing}>${count > 0 ? count : ""}</span>
      ${index < 9 ? html`<kbd>${index + 1}</kbd>` : nothing}
    </button>`;
  }

  #prediction(): TemplateResult {
    const { predictions, preferences, classes, annotations, labelling } = this.app;
    const extracted = annotations.current.value.points.filter(isExtracted).length;
    const { overlay_opacity, overlay_style } = preferences.value;
    const has = (predictions.shown.value?.maps.length ?? 0) > 0;
    return html`<section class="card prediction-card" aria-labelledby="prediction-title">
      <div class="card-head">
        <h2 id="prediction-title">Prediction</h2>
        ${this.app.signs.learning.value ? html`<span class="chip is-busy">Learning…</span>` : nothing}
      </div>
      <div class="segmented is-tight is-five" role="radiogroup" aria-label="Overlay style">
        ${STYLE_NAMES.map(
          ([style, name, note]) => html`<button role="radio" aria-checked=${style === overlay_style} title=${this.tip(note, "overlay-style")}
            data-testid="overlay-${style}" @click=${() => preferences.change({ overlay_style: style })}>${name}</button>`,
        )}
      </div>
      ${classes.value.length > 2 ? this.#confidenceOf(overlay_style) : nothing}
      ${has ? this.#legend(overlay_style) : html`<p class="hint legend">${this.#whenItComes()}</p>`}
      <label class="slider-row"><span>Opacity</span>
        <input type="range" data-testid="opacity" min="0" max="1" step="0.05" .value=${String(overlay_opacity)}
          title="How opaque the prediction and the regions are together (${this.app.keys.names("opacity-down")} and ${this.app.keys.names("opacity-up")})" @input=${this.#setOpacity} @change=${this.#release} />
        <output>${percent(overlay_opacity)}</output>
      </label>
      <div class="button-row">
        <button class="button" data-testid="extract-points" ?disabled=${!has} title=${this.tip("Points where the head is sure and you said nothing yet", "extract")}
          @click=${() => this.command("extract")}>${icon(Sparkles, 16)}<span>Extract points</span></button>
        ${extracted === 0 ? nothing : html`<button class="button icon-only" data-testid="remove-extracted" aria-label="Remove extracted points"
          title="Remove the ${counted(extracted, "extracted point")} of this image; yours stay" @click=${() => labelling.extracted.remove()}>${icon(Eraser, 16)}</button>`}
        <button class="button" data-testid="accept-prediction" ?disabled=${!has} title=${this.tip("Accept the prediction", "accept")}
          @click=${() => this.command("accept")}>${icon(Check, 16)}<span>Accept</span></button>
      </div>
    </section>`;
  }

  #whenItComes(): string {
    const { image } = this.app.navigator;
    if (image === null) return "";
    return image.features === "pending" ? "It appears once the image is prepared." : "It appears with your first points, one of each class.";
  }

  /** Of more than two classes: which one's confidence the heat map shows. */
  #confidenceOf(style: OverlayStyle): TemplateResult {
    const { picture_view, classes } = this.app;
    const chosen = this.#heatClass()?.id;
    const choose = (event: Event): void => {
      if (!(event.target instanceof HTMLSelectElement)) return;
      picture_view.showConfidenceOf(Number(event.target.value));
      event.target.blur();
    };
    return html`<select class="select class-choice" data-testid="confidence-class" aria-label="Class whose confidence is shown"
      title="Confidence: the class that the view from red to green is of" ?disabled=${style !== "confidence"} @change=${choose}>
      ${classes.value.map(({ id, name }) => html`<option value=${id} ?selected=${id === chosen}>Confidence of ${name}</option>`)}
    </select>`;
  }

  /** Of two classes the first one's: the other one's is what is left. */
  #heatClass(): LabelClass | undefined {
    const { classes, picture_view } = this.app;
    const [first] = classes.value;
    return classes.value.length === 2 ? first : (classes.value.find(({ id }) => id === picture_view.confidence_class_id) ?? first);
  }

  /** What the colours mean: a ramp's ends, or the share of the area that each class has. */
  #legend(style: OverlayStyle): TemplateResult {
    const classes = this.app.classes.value;
    const { only_class } = this.app;
    if (only_class !== null) return html`<p class="hint legend" data-testid="one-class-legend">${onlyClassText(only_class)}</p>`;
    if (style === "uncertainty") return ramp("Sure", "is-uncertainty", "Undecided");
    const heat_class = this.#heatClass();
    const [first, second] = classes;
    const is_two = classes.length === 2;
    if (style === "confidence" && heat_class) return ramp(is_two ? (second?.name ?? "") : `Not ${heat_class.name}`, "", heat_class.name);
    if (style === "certainty" && is_two && first && second) {
      return ramp(second.name, "is-two", first.name, `--low: ${second.color}; --high: ${first.color}`);
    }
    const shares = this.#shares();
    const text = classes.map(({ name }, i) => `${name} ${percent(shares[i] ?? 0)}`).join(", ");
    return html`<div class="legend" title=${text}><span>Area</span><span class="legend-shares" role="img" aria-label="Predicted area: ${text}">
      ${classes.map(({ color }, i) => html`<span style="flex-grow: ${shares[i] ?? 0}; background: ${color}"></span>`)}
    </span></div>`;
  }

  #shares(): readonly number[] {
    const of = [this.app.predictions.shown.value, this.app.classes.value] as const;
    if (of[0] !== this.#shares_of[0] || of[1] !== this.#shares_of[1]) {
      this.#shares_of = of;
      this.#known_shares = areaShares(of[1], of[0]?.maps ?? []);
    }
    return this.#known_shares;
  }

  #shares_of: readonly [unknown, unknown] = [null, null];
  #known_shares: readonly number[] = [];

  readonly #setOpacity = (event: Event): void => {
    if (event.target instanceof HTMLInputElement) this.app.preferences.change({ overlay_opacity: event.target.valueAsNumber });
  };

  /** Keys mean tools again once the slider is let go. */
  readonly #release = (event: Event): void => {
    if (event.target instanceof HTMLElement && !event.target.matches(":focus-visible")) event.target.blur();
  };
}

function ramp(low: string, kind: string, high: string, colors = ""): TemplateResult {
  return html`<div class="legend"><span>${low}</span><span class="legend-ramp ${kind}" style=${colors === "" ? nothing : colors}></span><span>${high}</span></div>`;
}

customElements.define("fewclick-segmentation-ui", SegmentationUI);
