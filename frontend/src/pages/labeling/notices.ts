import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../../app";
import { textOn } from "../../state/color";

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
    ${navigator.image.features === "pending"
      ? html`<span class="badge is-neutral" data-testid="features-pending">Being prepared: you can already ${sets_points ? "click" : "label it"};
          the prediction follows</span>`
      : nothing}
  </div>`;
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

/** How to begin, until it has been read. */
export function firstHint(app: App): TemplateResult | typeof nothing {
  const { preferences, config } = app;
  if (preferences.value.hint_dismissed) return nothing;
  const text = {
    segmentation: html`Choose a class, click an example of it: the mask follows every click. <kbd>F</kbd> next image, <kbd>?</kbd> all keys.`,
    classification: html`Press <kbd>1</kbd> to <kbd>9</kbd> or click a class; the next image follows. <kbd>Ctrl+Z</kbd> takes a label back, <kbd>?</kbd> all keys.`,
    multilabel: html`Press <kbd>1</kbd> to <kbd>9</kbd> for all classes that hold, <kbd>0</kbd> for none of them. <kbd>Enter</kbd> accepts what is suggested, then goes on.`,
  }[config.task];
  return html`<div class="first-hint"><span>${text}</span>
    <button class="button small" @click=${() => preferences.change({ hint_dismissed: true })}>Got it</button></div>`;
}

/** Which part of the program does not work, and what to do about it. */
export function healthBanner(app: App): TemplateResult | typeof nothing {
  const health = app.health.health.value;
  if (health === "unreachable") {
    return html`<div class="banner is-bad" role="alert"><strong>The server does not answer.</strong> What you label is kept in this
      browser and sent when it is back. Start it again with <code>make demo</code>, <code>fewclick up</code> or <code>uvicorn backend.main:app</code>.</div>`;
  }
  if (health?.ml_service.starting === true) {
    return html`<div class="banner" role="status"><strong>The ML service is starting.</strong> You can label already: predictions
      follow in a few seconds.</div>`;
  }
  if (health?.extraction.state === "failed" && health.ml_service.alive) {
    return html`<div class="banner is-warn" role="alert"><strong>No features can be made.</strong> ${health.extraction.message}</div>`;
  }
  if (health !== null && !health.ml_service.alive) {
    return html`<div class="banner is-warn" role="alert"><strong>The ML service is not running.</strong> Labels are saved, but
      predictions wait. <code>fewclick up</code> starts it again by itself within
      seconds; where the parts run one by one, start <code>python -m ml_service.train</code>.</div>`;
  }
  return nothing;
}
