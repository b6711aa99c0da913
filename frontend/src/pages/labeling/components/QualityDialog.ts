import { X } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import {
  calibrationText,
  confidenceText,
  FOUND_NAME,
  FOUND_TIP,
  detailed,
  intervalText,
  isTelling,
  outlookText,
  pickedText,
  plainText,
  PREDICTED_RIGHT_NAME,
  PREDICTED_RIGHT_TIP,
  SELECTED_ON_THESE,
  shareOrInterval,
  weakestText,
  type Agreement,
  type ClassFigures,
  type Figures,
  type Interval,
  type Leading,
  type Quality,
} from "../../../state/quality";
import { curvePoints, heatRows, historyPoints, movingPoints, reliabilityPoints, type HeatCell } from "../../../state/quality_plots";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { closeOnBackdrop, showDialog, whenClosed } from "./dialog";
import { icon } from "./icon";
import { linePlot, plotTable, reliabilityPlot } from "./plots";
import { counted, sampleNoun } from "../../../state/words";
import { percent } from "./text";

const METHOD_NAMES = { held_out: "Held-out images", cross_validation: "Cross-validation (estimate)" } as const;
const MOST_CLASSES_IN_MATRIX = 30;
/** A matrix of more has the width of the dialog. */
const CLASSES_BESIDE = 5;
const SAMPLES_TIP = "Points, and places inside regions";

/** Everything that is known about the head in force: figures, plots, and each plot as a table. */
export class QualityDialog extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { ui, stats, classes } = this.app;
    return [ui.quality_open, stats.stats, classes];
  }

  protected override render(): TemplateResult {
    const { quality_open } = this.app.ui;
    const quality = this.app.stats.stats.value?.quality ?? null;
    return html`<dialog class="dialog wide quality-dialog" data-testid="quality" aria-labelledby="quality-dialog-title"
      @close=${whenClosed(quality_open)} @click=${closeOnBackdrop}>
      <div class="dialog-head">
        <h2 id="quality-dialog-title">Quality</h2>
        <button class="button ghost icon-only" aria-label="Close" @click=${() => quality_open.set(false)}>${icon(X)}</button>
      </div>
      ${quality === null ? html`<p class="empty" role="status">Measuring…</p>` : nothing}
      ${quality === null || !quality_open.value ? nothing : html`<div class="quality-sections">
        ${this.#overview(quality)} ${this.#classes(quality)} ${this.#calibration(quality)} ${this.#curve(quality)}
        ${this.#history(quality)} ${this.#live(quality)}
      </div>`}
    </dialog>`;
  }

  protected override updated(): void {
    showDialog(this, this.app.ui.quality_open.value);
  }

  /** What is counted, as a heading. */
  get #samples(): "Samples" | "Images" {
    return sampleNoun(this.app.config.task) === "sample" ? "Samples" : "Images";
  }

  #overview({ held_out, estimate, unknown, is_current, n_labels, n_picked_images }: Quality): TemplateResult {
    const noun = sampleNoun(this.app.config.task);
    const rows = [overviewRow("held_out", held_out, noun), overviewRow("cross_validation", estimate, noun)];
    return html`<section class="span-all" data-testid="quality-overview">
      <h3>How much does it predict right?</h3>
      ${unknown === null ? nothing : html`<p class="plain">Not known yet: ${unknown}.</p>`}
      ${held_out === null ? nothing : html`<p class="plain" data-testid="plain-held-out">${plainText("held_out", held_out, noun)}</p>`}
      ${estimate === null ? nothing : html`<p class="plain" data-testid="plain-estimate">${plainText("cross_validation", estimate, noun)}</p>`}
      ${held_out === null && estimate === null ? nothing : html`<details class="plot-numbers"><summary>In technical terms</summary><div class="table-scroll"><table class="figures">
        <thead><tr><th scope="col"></th><th scope="col">Right</th><th scope="col">95 % interval</th>${this.#samples === "Samples" ? html`<th scope="col" title=${SAMPLES_TIP}>Samples</th>` : nothing}
          <th scope="col">Images</th><th scope="col" title="Always saying the most frequent class">By guessing</th>
          <th scope="col" title="Intersection over union, the mean over classes">Mean IoU</th><th scope="col" title="The mean over classes">Mean F1</th>
          ${this.app.config.task === "multilabel" ? html`<th scope="col" title="Of all decisions together">Micro F1</th>` : nothing}</tr></thead>
        <tbody>${rows}</tbody></table></div></details>`}
      ${n_labels === null ? nothing : html`<p class="hint">A head that learned from ${counted(n_labels, noun)}${
        is_current === false ? "; labels have changed since" : ""}. ${pickedText(n_picked_images)}
        ${held_out?.selected_on_these ? `Held-out images: ${SELECTED_ON_THESE.charAt(0).toLowerCase()}${SELECTED_ON_THESE.slice(1)}` : ""}
        ${this.app.config.task === "segmentation" ? "Points lie where people clicked, often on mistakes: whole masks are not measured." : ""}</p>`}
    </section>`;
  }

  #classes(quality: Quality): TemplateResult {
    const found = detailed(quality);
    if (found === null) return html`<section class="span-all"><h3>Class by class</h3>${unknown(quality.unknown)}</section>`;
    const { figures } = found;
    const weakest = weakestText(figures.classes, (class_id) => this.#className(class_id));
    return html`<section data-testid="quality-classes"><h3>Class by class ${methodChip(found)}</h3>
        ${weakest === null ? nothing : html`<p class="plain">${weakest}</p>`}
        <div class="table-scroll"><table class="figures">
          <thead><tr><th scope="col">Class</th><th scope="col" title=${this.#samples === "Samples" ? SAMPLES_TIP : nothing}>${this.#samples}</th><th scope="col" title=${FOUND_TIP}>${FOUND_NAME}</th>
            <th scope="col" title=${PREDICTED_RIGHT_TIP}>${PREDICTED_RIGHT_NAME}</th>
            <th scope="col" title="The two before in one figure: their harmonic mean">F1</th>
            <th scope="col" title="Right, of all that either people or the head said is of the class: intersection over union">IoU</th></tr></thead>
          <tbody>${figures.classes.map((one) => html`<tr><th scope="row">${this.#swatch(one.class_id)}${this.#className(one.class_id)}</th><td>${one.support}</td>
            ${share(one.recall, one.support)}${share(one.precision, one.predicted)}${share(one.f1, one.support)}${share(one.iou, one.support)}</tr>`)}
          </tbody></table></div>
        ${figures.classes.some(isPartlyUnknown) ? html`<p class="hint">“–”: fewer than 5 ${this.#samples.toLowerCase()} of the class, or predicted as it, say too little.</p>` : nothing}
      </section>
      ${figures.confusion === null ? nothing : this.#confusion(heatRows(figures.confusion), found)}`;
  }

  #confusion(rows: readonly (readonly HeatCell[])[], found: Leading): TemplateResult {
    const shown = rows.slice(0, MOST_CLASSES_IN_MATRIX).map((row) => row.slice(0, MOST_CLASSES_IN_MATRIX));
    return html`<section class=${shown.length > CLASSES_BESIDE ? "span-all" : ""} data-testid="quality-confusion"><h3>What is taken for what ${methodChip(found)}</h3>
      <div class="table-scroll is-wide" tabindex="0" role="region" aria-label="What is taken for what"><table class="figures heat">
        <caption class="visually-hidden">Confusion matrix: rows are what people said, columns what the head said</caption>
        <thead><tr><td class="corner">said ↓ · predicted →</td>
          ${shown[0]?.map(({ predicted_id }) => html`<th scope="col">${this.#className(predicted_id)}</th>`)}</tr></thead>
        <tbody>${shown.map((row) => html`<tr><th scope="row">${this.#className(row[0]?.true_id ?? 0)}</th>
          ${row.map(({ count, share: part, is_right }) => html`<td class=${is_right ? "is-right" : "is-wrong"}
            style="--share: ${part.toFixed(3)}" title=${percent(part)}>${count}</td>`)}</tr>`)}</tbody>
      </table></div>
      ${rows.length > MOST_CLASSES_IN_MATRIX ? html`<p class="hint">The first ${MOST_CLASSES_IN_MATRIX} of ${rows.length} classes.</p>` : nothing}
    </section>`;
  }

  #calibration(quality: Quality): TemplateResult {
    const found = detailed(quality);
    const { calibration = null, calibration_unknown = null } = found?.figures ?? {};
    return html`<section data-testid="quality-calibration"><h3>Does its confidence mean what it says? ${found === null ? nothing : methodChip(found)}</h3>
      ${calibration === null ? unknown(calibration_unknown ?? quality.unknown) : html`
        <p class="plain">${confidenceText(calibration)}</p>
        ${reliabilityPlot(calibrationText(calibration), reliabilityPoints(calibration.bins))}
        <p class="hint">On the dashed line it would mean exactly what it says; the bars say how sure each dot is, larger dots rest on more.</p>
        <details class="plot-numbers"><summary>In technical terms</summary>
          <p class="hint">${calibrationText(calibration)} Brier score: ${calibration.brier.toFixed(3)}. Bars: 95 % intervals (Wilson).</p></details>
        ${plotTable(["Confidence", this.#samples, "Mean confidence", "Right"], calibration.bins.map(({ low, high, count, confidence, accuracy }) => [
          `${percent(low)} to ${percent(high)}`, String(count), percent(confidence), percent(accuracy)]))}`}
    </section>`;
  }

  #curve({ curve, curve_unknown }: Quality): TemplateResult {
    return html`<section data-testid="quality-curve"><h3>Would more labels help?</h3>
      ${curve === null ? unknown(curve_unknown) : html`
        ${linePlot({ title: `Share of right predictions by number of ${this.#samples.toLowerCase()}. ${outlookText(curve.outlook)}`, x_title: this.#samples, y_title: "Right",
          points: curvePoints(curve.points), with_dots: true })}
        <p class="hint" data-testid="outlook" data-verdict=${curve.outlook.verdict}>${outlookText(curve.outlook)} Heads of a quarter, a half, three quarters and
          all of the ${this.#samples.toLowerCase()}, on the same ${curve.method === "held_out" ? "held-out images" : "images, by cross-validation"}; the band is the 95 % interval.</p>
        ${plotTable([...(this.#samples === "Samples" ? ["Samples"] : []), "Images", "Right", "95 % interval"], curve.points.map(({ n_labels, n_images, accuracy }) => [
          ...(this.#samples === "Samples" ? [String(n_labels)] : []), String(n_images), shareOrInterval(accuracy), intervalText(accuracy)]))}`}
    </section>`;
  }

  #history({ history }: Quality): TemplateResult {
    const noun = sampleNoun(this.app.config.task);
    const points = historyPoints(history);
    const last = history.findLast(({ accuracy }) => accuracy !== null);
    return html`<section data-testid="quality-history"><h3>So far</h3>
      ${points.length === 0 ? unknown("the live head was not measured yet") : html`
        ${linePlot({ title: `Share of right predictions of the live head as labels came, now ${last?.accuracy ? shareOrInterval(last.accuracy) : "unknown"}`, x_title: "Measurement, oldest first",
          y_title: "Right", points, x_range: { from: 1, to: history.length } })}
        <p class="hint">Measured anew a moment after you stop labelling, with its 95 % interval: ${history.length === 1
          ? `once, with ${counted(history[0]?.n_labels ?? 0, noun)}`
          : `first with ${counted(history[0]?.n_labels ?? 0, noun)}, last with ${counted(history.at(-1)?.n_labels ?? 0, noun)}`}.</p>
        ${plotTable(["No.", "When", this.#samples, "How", "Right", "95 % interval"], history.map(({ at, n_labels, method, accuracy }, i) => [
          String(i + 1), moment(at), String(n_labels), method === null ? "–" : METHOD_NAMES[method], accuracy === null ? "unknown" : shareOrInterval(accuracy),
          accuracy === null ? "" : intervalText(accuracy)]))}`}
    </section>`;
  }

  #live({ agreement }: Quality): TemplateResult {
    const live = this.app.stats.stats.value?.live_accuracy ?? [];
    if (this.app.config.task === "classification") {
      const points = movingPoints(live.map(({ labeled: x, count, accuracy: y }) => ({ x, count, y })));
      const last = live.at(-1);
      return html`<section data-testid="quality-live"><h3>Was the prediction right when you labelled?</h3>
        ${last === undefined ? unknown("no image with a prediction was labelled yet") : html`
          ${points.length === 0 ? nothing : linePlot({ title: `Share of right predictions, now ${percent(last.accuracy)}`,
            x_title: "Images labelled", y_title: "Right", points })}
          <p class="plain">Of ${counted(last.count, "shown prediction")} <strong data-testid="live-accuracy">${Math.round(last.accuracy * last.count)}</strong>
            ${last.count === 1 || Math.round(last.accuracy * last.count) === 1 ? "was" : "were"} right when you labelled the image${points.length === 0 ? ": too few to say more" : html` (${percent(last.accuracy)})`}.</p>
          <p class="hint">The last 50, images labelled for the first time (live accuracy). Where the model picks the images, they are harder than most.</p>
          ${plotTable(["When", "Images", "In the average", "Right"], live.map(({ at, labeled, count, accuracy }) => [
            moment(at), String(labeled), String(count), percent(accuracy)]))}`}
      </section>`;
    }
    return html`<section data-testid="quality-live"><h3>How often did a click confirm the prediction?</h3>
      ${agreement === null ? unknown("no click met a prediction yet") : this.#agreement(agreement)}</section>`;
  }

  #agreement({ over_time, share: part, count, unprompted, unprompted_count, by_class }: Agreement): TemplateResult {
    const points = movingPoints(over_time.map(({ count: of, share: y }, x) => ({ x, count: of, y })));
    const first = unprompted === null ? `too few yet (${unprompted_count} of 5)` : (isTelling(unprompted) ? `${percent(unprompted.value)} (${intervalText(unprompted)})` : intervalText(unprompted));
    return html`${points.length === 0 ? nothing : linePlot({ title: `Share of clicks that confirmed, now ${percent(part)}`, x_title: "Clicks, oldest first",
        y_title: "Confirmed", points, x_names: [] })}
      <p class="plain">Of the last ${counted(over_time.at(-1)?.count ?? 0, "click")} <strong>${Math.round(part * (over_time.at(-1)?.count ?? 0))}</strong> confirmed what was shown (${percent(part)}).</p>
      <p class="hint">People click on mistakes, so this is
        lower than the share of right predictions above. First clicks on images that the model had not picked: ${first}.</p>
      ${plotTable(["Class", `Of the last ${count}`, "Confirmed"], by_class.map((one) => [
        this.#className(one.class_id), String(one.count), percent(one.agreed / one.count)]))}`;
  }

  #swatch(class_id: number): TemplateResult | typeof nothing {
    const found = this.app.classes.value.find(({ id }) => id === class_id);
    return found === undefined ? nothing : html`<span class="swatch" style="--class-color: ${found.color}"></span>`;
  }

  #className(class_id: number): string {
    return this.app.classes.value.find(({ id }) => id === class_id)?.name ?? `class ${class_id}`;
  }
}

function overviewRow(method: keyof typeof METHOD_NAMES, figures: Figures | null, noun: "sample" | "image"): TemplateResult | typeof nothing {
  if (figures === null) return nothing;
  const { accuracy, n_samples, n_images, majority_share, mean_iou, macro_f1, micro_f1 = null, one_class } = figures;
  return html`<tr><th scope="row">${METHOD_NAMES[method]}</th><td><strong>${accuracy === null ? "unknown" : shareOrInterval(accuracy)}</strong></td>
    <td>${accuracy === null ? "–" : intervalText(accuracy satisfies Interval)}</td>${noun === "sample" ? html`<td>${n_samples}</td>` : nothing}<td>${n_images}</td>
    ${share(majority_share, 0)}${share(mean_iou, 0)}${share(macro_f1, 0)}${one_class ? nothing : share(micro_f1, 0)}</tr>`;
}

function isPartlyUnknown({ recall, precision, f1, iou }: ClassFigures): boolean {
  return [recall, precision, f1, iou].includes(null);
}

function share(value: number | null, basis: number): TemplateResult {
  return value === null ? html`<td title="Too few: ${basis} of 5">–</td>` : html`<td>${percent(value)}</td>`;
}

function unknown(reason: string | null): TemplateResult {
  return html`<p class="hint">Not known yet: ${reason ?? "nothing was measured yet"}.</p>`;
}

function methodChip({ method }: Leading): TemplateResult {
  return html`<span class="chip ${method === "held_out" ? "" : "is-estimate"}">${method === "held_out" ? "held-out" : "estimate"}</span>`;
}

function moment(at: string): string {
  return new Date(at).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}

customElements.define("fewclick-quality-dialog", QualityDialog);
