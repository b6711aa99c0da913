import "../../../styles/progress.css";

import { ChartLine, GraduationCap, History, Square, X } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import { answeredOf, finishLine, hourBars, paceBasis, partsOf, type HourBar } from "../../../state/progress";
import { detailed, FOUND_NAME, FOUND_TIP, lineText, PREDICTED_RIGHT_NAME, PREDICTED_RIGHT_TIP, type ClassFigures } from "../../../state/quality";
import type { Readable } from "../../../state/signal";
import type { ClassCount, LabelClass, Pace, Stats } from "../../../state/types";
import { isActive } from "../../../sync/polling";
import { AppView } from "./AppView";
import { closeOnBackdrop, showDialog, whenClosed } from "./dialog";
import { icon } from "./icon";
import { lossLegend } from "./LossChart";
import { counted, grouped } from "../../../state/words";
import { duration, extractionLine, extractionNote, outcomeLine, percent, trainingLine } from "./text";

/** How far everything is, in one place: images, pace, classes, training, features. */
export class ProgressDialog extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { ui, stats, classes, training, health } = this.app;
    return [ui.progress_open, stats.stats, classes, training.training, training.starting, health.health];
  }

  protected override render(): TemplateResult {
    const { progress_open } = this.app.ui;
    const stats = this.app.stats.stats.value;
    return html`<dialog class="dialog wide progress-dialog" data-testid="progress-dialog" aria-labelledby="progress-title"
      @close=${whenClosed(progress_open)} @click=${closeOnBackdrop}>
      <div class="dialog-head">
        <h2 id="progress-title">Progress</h2>
        <button class="button ghost icon-only" aria-label="Close" @click=${() => progress_open.set(false)}>${icon(X)}</button>
      </div>
      ${!progress_open.value ? nothing : html`<div class="progress-sections">
        ${stats === null ? html`<p class="hint span-all" role="status">Counting…</p>` : html`${this.#images(stats)} ${this.#pace(stats)}`}
        ${this.#training()} ${this.#features()} ${stats === null ? nothing : this.#classes(stats)}
      </div>`}
    </dialog>`;
  }

  protected override updated(): void {
    showDialog(this, this.app.ui.progress_open.value);
  }

  #images(stats: Stats): TemplateResult {
    const parts = partsOf(stats);
    const { failed } = stats.by_features;
    const total = parts.reduce((sum, { count }) => sum + count, 0);
    return html`<section class="span-all" data-testid="progress-images">
      <div class="progress-line"><span class="figure">${grouped(answeredOf(stats))}</span>
        <span>of ${counted(total, "image")} answered</span><span class="spacer"></span><strong class=${stats.pace.finish_s === null && stats.pace.remaining > 0 ? "is-unknown" : ""} data-testid="time-to-finish">${finishLine(stats.pace)}</strong></div>
      <div class="parts" role="img" aria-label=${parts.map(({ name, count }) => `${name} ${count}`).join(", ") || "No images"}>
        ${parts.map(({ name, share }) => html`<span class="part is-${name.toLowerCase()}" style="flex-grow: ${share}"></span>`)}</div>
      <p class="parts-legend">${parts.map(({ name, count }) => html`<span><i class="part is-${name.toLowerCase()}"></i>${name} <b>${grouped(count)}</b></span>`)}
        ${failed > 0 ? html`<span>${grouped(failed)} cannot be used; the gallery says why</span>` : nothing}</p>
    </section>`;
  }

  #pace({ pace, labels_per_hour }: Stats): TemplateResult {
    const bars = hourBars(labels_per_hour, new Date());
    const most = Math.max(...bars.map(({ count }) => count));
    const what = this.app.config.task === "segmentation" ? "points and regions" : "labels";
    const text = `New ${what} in each of the last 24 hours: ${bars.map(({ count }) => count).join(", ")}`;
    return html`<section data-testid="progress-pace"><h3>Pace</h3>
      ${paceFigures(pace)}
      <div class="hours" role="img" aria-label=${text}>${bars.map((bar) => hourBar(bar))}</div>
      <p class="hours-axis"><span>${clock(bars[0])}</span><span>new ${what} in each hour${most === 0 ? "" : `; the tallest bar is ${grouped(most)}`}</span><span>now</span></p>
    </section>`;
  }

  #training(): TemplateResult {
    const { training } = this.app;
    const { value } = training.training;
    return html`<section class="is-run" data-testid="progress-training"><h3>Training
        <span class="state is-${(value?.state ?? "IDLE").toLowerCase()}">${value?.state ?? "IDLE"}</span></h3>
      <p class="hint ${value?.state === "FAILED" ? "is-bad" : ""}" role="status">${value ? trainingLine(value) : "It learns from every label by itself."}</p>
      <fewclick-loss-chart .training=${value}></fewclick-loss-chart>
      <p class="chart-legend">${value ? lossLegend(value) : nothing}</p>
      ${value && outcomeLine(value) !== "" ? html`<p class="training-outcome">${outcomeLine(value)}</p>` : nothing}
      <div class="button-row">
        <button class="button small primary" ?disabled=${training.starting.value} title=${this.tip("Save and train: start a full training run", "save")}
          @click=${() => this.command("save")}>${icon(GraduationCap, 14)}<span>Train</span></button>
        <button class="button small danger" data-testid="progress-stop" ?disabled=${!isActive(value) || value?.stop_requested === true}
          title="Stop Training: the best weights so far are kept" @click=${() => void training.stop()}>${icon(Square, 14)}<span>Stop Training</span></button>
        <button class="button small" @click=${() => this.#instead("quality")} title=${this.tip("Held-out curves, calibration, confusion", "quality")}>
          ${icon(ChartLine, 14)}<span>Quality</span></button>
        <button class="button small" @click=${() => this.#instead("checkpoints")} title=${this.tip("Saved heads: inspect, compare, switch", "checkpoints")}>
          ${icon(History, 14)}<span>Checkpoints</span></button>
      </div>
    </section>`;
  }

  #features(): TemplateResult {
    const health = this.app.health.health.value;
    if (health === null || health === "unreachable") {
      return html`<section><h3>Features</h3><p class="hint">${health === null ? "Asking the server…" : "The server does not answer."}</p></section>`;
    }
    const { extraction } = health;
    const { done, total, failed, rate_images_s, eta_s, state } = extraction;
    const share = total - failed > 0 ? done / (total - failed) : 1;
    const rate = rate_images_s === null ? "" : `${counted(Math.round(rate_images_s * 60), "image")} a minute`;
    const left = eta_s === null ? "" : `about ${duration(eta_s)} left`;
    return html`<section data-testid="progress-features"><h3>Features of the images</h3>
      ${state === "done"
        ? html`<p class="hint">${done === 1 ? "The image has its own" : `All ${counted(done, "image")} have theirs`}${failed > 0 ? `; ${grouped(failed)} failed` : ""}.</p>`
        : html`<div class="parts" role="progressbar" aria-label="Features" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(share * 100)}>
              <span class="part is-labelled" style="flex-grow: ${share}"></span><span class="part is-open" style="flex-grow: ${1 - share}"></span></div>
            <p class="hint ${state === "failed" || state === "stopped" ? "is-bad" : ""}">${[extractionLine({ ...extraction, eta_s: null }) ?? "", rate, left].filter(Boolean).join(" · ")}.
              ${extractionNote({ ...extraction, rate_images_s: null })}</p>`}
    </section>`;
  }

  #classes({ by_class, quality }: Stats): TemplateResult {
    const { classes, config } = this.app;
    const of_points = config.task === "segmentation";
    const most = Math.max(1, ...by_class.map((row) => countOf(row, of_points)));
    const found = detailed(quality);
    const figures = new Map((found?.figures.classes ?? []).map((one) => [one.class_id, one]));
    return html`<section class="span-all" data-testid="progress-classes"><h3>Classes</h3>
      ${by_class.length === 0 ? html`<p class="hint">No classes yet: add one beside the image.</p>` : html`<div class="table-scroll"><table class="figures class-table">
        <thead><tr><th scope="col">Class</th><th scope="col">Images</th>
          ${of_points ? html`<th scope="col">Points</th><th scope="col">Regions</th>` : nothing}
          <th scope="col" class="wide" title=${of_points ? "Points and regions, compared with the class that has most" : "Images, compared with the class that has most"}>Compared</th>
          <th scope="col" title=${FOUND_TIP}>${FOUND_NAME}</th>
          <th scope="col" title=${PREDICTED_RIGHT_TIP}>${PREDICTED_RIGHT_NAME}</th></tr></thead>
        <tbody>${by_class.map((row) => classRow(row, classes.value.find(({ id }) => id === row.class_id), figures.get(row.class_id), most, of_points))}</tbody>
      </table></div>`}
      <p class="hint">${found === null ? `How much is predicted right is not known yet: ${quality.unknown ?? "it was not measured yet"}.` : lineText(found, !of_points)}</p>
    </section>`;
  }

  #instead(command: "quality" | "checkpoints"): void {
    this.app.ui.progress_open.set(false);
    this.command(command);
  }
}

function paceFigures(pace: Pace): TemplateResult {
  if (pace.images_per_hour === null || pace.labels_per_hour === null) {
    return html`<p class="hint">The pace shows after five images and half a minute of work.</p>`;
  }
  return html`<div class="pace-figures">
      <span><b class="figure" data-testid="images-per-hour">${grouped(Math.round(pace.images_per_hour))}</b> images an hour</span>
      <span><b class="figure" data-testid="labels-per-hour">${grouped(Math.round(pace.labels_per_hour))}</b> changes an hour</span></div>
    <p class="hint">${paceBasis(pace)}</p>`;
}

function hourBar({ at, count, height }: HourBar): TemplateResult {
  return html`<span title="${at.toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" })}: ${count}"
    class=${count > 0 ? "has-work" : ""} style="--height: ${height}"></span>`;
}

function clock(bar: HourBar | undefined): string {
  return bar?.at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) ?? "";
}

function countOf({ images, points, regions }: ClassCount, of_points: boolean): number {
  return of_points ? points + regions : images;
}

function classRow(
  row: ClassCount,
  label_class: LabelClass | undefined,
  figures: ClassFigures | undefined,
  most: number,
  of_points: boolean,
): TemplateResult {
  return html`<tr style="--class-color: ${label_class?.color ?? "currentcolor"}">
    <th scope="row"><span class="swatch"></span>${label_class?.name ?? row.class_id}</th><td>${grouped(row.images)}</td>
    ${of_points ? html`<td>${grouped(row.points)}</td><td>${grouped(row.regions)}</td>` : nothing}
    <td class="wide"><span class="class-share" style="--share: ${countOf(row, of_points) / most}"></span></td>
    ${share(figures?.recall)}${share(figures?.precision)}</tr>`;
}

function share(value: number | null | undefined): TemplateResult {
  return html`<td>${value === null || value === undefined ? "–" : percent(value)}</td>`;
}

customElements.define("fewclick-progress-dialog", ProgressDialog);
