import { html, nothing, type TemplateResult } from "lit";

import { counted } from "../../../state/words";
import { isSettled, measuredPair, shown, winner, type CheckpointComparison, type MeasuredSide, type Measurement } from "../../../state/checkpoints";

const METRIC_NAMES: Readonly<Record<string, string>> = {
  "held_out.accuracy": "Held-out accuracy",
  "held_out.mean_iou": "Held-out mean IoU",
  "held_out.loss": "Held-out loss",
  "held_out.n_images": "Held-out images",
  "held_out.n_samples": "Held-out labels",
  n_train: "Training images",
};

/** Two checkpoints side by side; what is better is marked by weight and a sign, not by colour alone. */
export function comparisonTables(comparison: CheckpointComparison, busy: boolean, measure: () => void): TemplateResult {
  const { a, b, config, config_equal, metrics, data } = comparison;
  const heads = html`<th scope="col">A: ${a.name ?? `checkpoint ${a.id}`}</th><th scope="col">B: ${b.name ?? `checkpoint ${b.id}`}</th>`;
  return html`<div class="shelf-details" data-testid="checkpoint-comparison">
    <h3>On the same held-out labels, now</h3>
    ${measurementPart(comparison.measurement, heads, busy, measure)}
    <h3>As measured when saved</h3>
    ${data !== null && !data.same_held_out && metrics.length > 0
      ? html`<p class="hint is-warn">Not on the same held-out labels: these figures cannot be compared with each other.</p>`
      : nothing}
    <table class="shelf-table"><thead><tr><th scope="col">Figure</th>${heads}</tr></thead><tbody>
      ${metrics.map(
        ({ key, a: x, b: y }) => html`<tr><th scope="row">${METRIC_NAMES[key] ?? key}</th><td>${figure(x, key)}</td><td>${figure(y, key)}</td></tr>`,
      )}
    </tbody></table>
    <h3>Labels</h3>
    ${labelsPart(comparison, heads)}
    <h3>Configuration</h3>
    ${config.length === 0
      ? html`<p class="hint">No difference.</p>`
      : html`<table class="shelf-table"><thead><tr><th scope="col">Key</th>${heads}</tr></thead><tbody>
            ${config.map((row) => html`<tr class="is-different"><th scope="row"><code>${row.key}</code></th><td>${shown(row.a)}</td><td>${shown(row.b)}</td></tr>`)}
          </tbody></table>
          <p class="hint">${config_equal} more keys are equal.</p>`}
  </div>`;
}

function measurementPart(
  measurement: Measurement, heads: TemplateResult, busy: boolean, measure: () => void,
): TemplateResult {
  const { state, stale, error, result } = measurement;
  const waits = state === "queued" || state === "running";
  const button = html`<button class="button small" data-testid="measure-checkpoints" ?disabled=${busy || waits || isSettled(measurement)} @click=${measure}>
    ${waits ? "Measuring…" : result === null ? "Measure both" : "Measure again"}</button>`;
  if (result === null) {
    return html`<p class="hint ${error === null ? "" : "is-bad"}">${error ?? "Figures that were taken at different times are of different labels."} ${button}</p>`;
  }
  const pair = measuredPair(result);
  const better = winner(pair);
  return html`
    <table class="shelf-table" data-testid="checkpoint-measurement"><thead><tr><th scope="col">${counted(pair.n_samples, "label")} on ${counted(pair.n_images, "image")}</th>${heads}</tr></thead>
      <tbody>
        <tr><th scope="row">Accuracy</th>${cell(figure(pair.a.accuracy), better === "a")}${cell(figure(pair.b.accuracy), better === "b")}</tr>
        <tr><th scope="row">Mean IoU</th><td>${figure(pair.a.mean_iou)}</td><td>${figure(pair.b.mean_iou)}</td></tr>
        <tr><th scope="row">Loss</th><td>${figure(pair.a.loss)}</td><td>${figure(pair.b.loss)}</td></tr>
      </tbody></table>
    <p class="hint">
      ${pair.difference === null ? nothing : html`Accuracy B − A: ${signed(pair.difference)}${pair.standard_error === null ? "" : ` ± ${pair.standard_error.toFixed(3)} (standard error over images)`}${better !== null ? "" : pair.standard_error === null ? ": too few images to tell" : ": no more than chance"}. `}
      ${pair.agreement === null ? nothing : `Both say the same on ${(pair.agreement.share * 100).toFixed(1)} % of the ${pair.agreement.of} of ${counted(pair.agreement.n_images, "image")} drawn at random. `}
      ${[pair.a, pair.b].some((side) => side.how === "refitted") ? "A live head learns from held-out labels too; measured is a head of its labels without them. " : nothing}
      ${notes(pair.a, "A")}${notes(pair.b, "B")}
      ${stale ? html`<strong>Labels changed since.</strong> ` : nothing}${
        isSettled(measurement) ? html`<span data-testid="measurement-settled">Labels have not changed since: the same would come out.</span> ` : nothing}${button}
    </p>`;
}

function labelsPart({ data, data_problem }: CheckpointComparison, heads: TemplateResult): TemplateResult {
  if (data === null) return html`<p class="hint">${data_problem}</p>`;
  if (data.identical) return html`<p class="hint">Both have learned from the same labels.</p>`;
  return html`<table class="shelf-table"><thead><tr><th scope="col">Class</th>${heads}
      <th scope="col" class="is-number">Added</th><th scope="col" class="is-number">Removed</th><th scope="col" class="is-number">Changed</th></tr></thead>
    <tbody>${data.classes.map((row) => {
      const changed = row.changed_to + row.changed_from;
      const differs = row.added + row.removed + changed > 0;
      return html`<tr class=${differs ? "is-different" : ""}>
        <th scope="row"><span class="swatch" style="--class-color: ${row.color}"></span> ${row.name}</th>
        <td>${row.a}</td><td>${row.b}</td><td class="is-number">${row.added}</td><td class="is-number">${row.removed}</td>
        <td class="is-number">${changed === 0 ? "0" : `+${row.changed_to} −${row.changed_from}`}</td></tr>`;
    })}</tbody></table>
    <p class="hint">Images: ${data.images_added} added, ${data.images_removed} removed, ${data.images_changed} changed.</p>`;
}

function notes({ note }: MeasuredSide, name: string): string {
  return note === null ? "" : `${name}: ${note}. `;
}

function cell(text: string, is_better: boolean): TemplateResult {
  return is_better ? html`<td class="is-better">${text} <span title="better" aria-label="better">▲</span></td>` : html`<td>${text}</td>`;
}

function figure(value: number | null, key = ""): string {
  if (value === null) return "unknown";
  return /(^|\.)n_/.test(key) ? String(value) : value.toFixed(3);
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}
