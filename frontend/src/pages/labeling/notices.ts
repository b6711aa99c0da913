import { Download, PartyPopper, X } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../../app";
import { textOn } from "../../state/color";
import { doneText, isAllDone } from "../../state/progress";
import { icon } from "./components/icon";

/** What the image is labelled with, and what is the matter with it. */
export function stageChips(app: App): TemplateResult | typeof nothing {
  const { annotations, classes, config, navigator } = app;
  const { label, labels, skipped, undetermined } = annotations.current.value;
  if (navigator.image === null) return nothing;
  const sets_points = config.task === "segmentation";
  const held = [...(label ? [label] : []), ...(labels ?? [])].map(({ class_id }) => class_id);
  return html`<div class="stage-chips" aria-live="polite">
    ${classes.value.filter(({ id }) => held.includes(id)).map(({ id, name, color }) => html`<span class="badge"
      data-testid="label-badge" data-class-id=${id} style="background: ${color}; color: ${textOn(color)}">${name}</span>`)}
    ${labels?.length === 0 ? html`<span class="badge is-neutral" data-testid="none-badge">None of the classes</span>` : nothing}
    ${skipped ? html`<span class="badge is-neutral">Skipped</span>` : nothing}
    ${undetermined === true ? html`<span class="badge is-neutral" data-testid="undetermined-badge">Undetermined</span>` : nothing}
    ${navigator.image.features === "failed"
      ? html`<span class="badge is-neutral" data-testid="features-failed">Cannot be used: ${navigator.image.failure ?? "its features failed"}</span>`
      : nothing}
    ${navigator.image.features === "pending" ? html`<span class="badge is-neutral" data-testid="features-pending">${pendingText(app, sets_points)}</span>` : nothing}
  </div>`;
}

/** What is to be expected of an image without features. */
function pendingText({ health }: App, sets_points: boolean): string {
  const found = health.health.value;
  const state = found === null || found === "unreachable" ? "running" : found.extraction.state;
  if (state === "failed") return "No prediction: the features cannot be made. Labels are kept";
  if (state === "stopped") return "Waits for its features: no extraction is running. Labels are kept";
  return `Being prepared: you can already ${sets_points ? "click" : "label it"}; the prediction follows`;
}

/** Why there is no image to be seen. */
export function emptyState(app: App, goOn: () => void): TemplateResult | typeof nothing {
  const { navigator } = app;
  const { image } = navigator;
  const failure = image && navigator.opened.value?.bitmap === null ? (image.failure ?? "The file could not be read.") : null;
  if (failure !== null) {
    return html`<div class="empty" role="alert"><h2>Image ${image?.id} cannot be shown</h2><p>${failure}</p>
      <button class="button" @click=${goOn}>Next image</button></div>`;
  }
  if (navigator.problem.value !== null) return html`<div class="empty"><h2>Nothing to label</h2><p>${navigator.problem.value}</p></div>`;
  if (navigator.loading.value) return html`<div class="stage-loading" role="status" aria-label="Loading"></div>`;
  return nothing;
}

/** What lies over the image where nothing is left to label, and can be put away. Nothing moves when it comes and goes. */
export function stageNotices(app: App): TemplateResult {
  return html`<div class="stage-notices">${allDone(app)}</div>`;
}

/** Nothing is left to answer: what to do now. */
function allDone(app: App): TemplateResult | typeof nothing {
  const { ui, stats, navigator } = app;
  const { value } = stats.stats;
  if (value === null || !isAllDone(value) || ui.all_done_read.value || !app.all_done.has_come.value) return nothing;
  const review = (): void => {
    navigator.reviewing.set(true);
    ui.all_done_read.set(true);
  };
  return html`<section class="all-done" data-testid="all-done" aria-label="All done" role="status">
    ${icon(PartyPopper, 22)}
    <div><h2>All done</h2><p>${doneText(value)} Everything is saved.</p></div>
    <span class="all-done-buttons">
      <button class="button small primary" data-testid="all-done-export" popovertarget="export-menu">${icon(Download, 14)}<span>Export</span></button>
      <button class="button small" data-testid="all-done-review" title="Next and Previous go through all images" @click=${review}>Review all</button>
      <button class="button small" @click=${() => ui.quality_open.set(true)}>Quality</button>
      <button class="button small ghost icon-only" aria-label="Dismiss" @click=${() => ui.all_done_read.set(true)}>${icon(X, 14)}</button>
    </span>
  </section>`;
}
