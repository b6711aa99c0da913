import { RotateCcw } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../../../app";
import { usageText, type RemovedClass } from "../../../state/classes";
import { ago } from "../../../state/start";
import type { LabelClass } from "../../../state/types";
import { counted, grouped, markedText } from "../../../state/words";
import { icon } from "./icon";

/** How much is said with a class, and with it and those below it. */
export function classCount(app: App, class_id: number): TemplateResult | typeof nothing {
  const found = app.stats.stats.value?.by_class.find((entry) => entry.class_id === class_id);
  if (!found) return nothing;
  if (found.images_with_below === 0) return nothing;
  const below = found.images_with_below > found.images
    ? html`<span class="class-count-below" title="With the classes below: ${counted(found.images_with_below, "image")}">${grouped(found.images_with_below)}</span>`
    : nothing;
  const marked = app.config.task === "segmentation" ? markedText(found) : "";
  return html`${below}<span title=${marked === "" ? nothing : marked}>${counted(found.images, "image")}</span>`;
}

/** Classes with the same word here exclude each other. */
export function groupField(app: App, { id, name, group }: LabelClass, tab: number): TemplateResult {
  const regroup = (event: Event): void => {
    const input = inputOf(event);
    const wanted = input.value.trim() || null;
    if (wanted === group) return;
    void app.class_editing.change(id, { group: wanted }).then((changed) => {
      if (!changed) input.value = group ?? "";
    });
  };
  return html`<span role="gridcell"><input class="input class-group-input" .value=${group ?? ""} tabindex=${tab} data-testid="group-${id}"
    aria-label="Group of ${name}" title="Of the classes of a group an image has one at most" placeholder="No group" maxlength="200"
    autocomplete="off" list="class-groups" @change=${regroup} /></span>`;
}

/** What was removed or merged, to be brought back. */
export function removedClasses(app: App): TemplateResult | typeof nothing {
  const { value: removed } = app.class_editing.removed;
  if (removed.length === 0) return nothing;
  return html`<details class="class-removed" data-testid="removed-classes">
    <summary>Removed <span class="class-total">${removed.length}</span></summary>
    <ul>${removed.map((entry) => removedRow(app, entry))}</ul>
  </details>`;
}

function removedRow(app: App, entry: RemovedClass): TemplateResult {
  const { id, name, color, removed_at, merged_into } = entry;
  const what = usageText(entry, app.config.task);
  const into = app.classes.value.find((other) => other.id === merged_into);
  const where = into === undefined ? "" : `in “${into.name}”`;
  return html`<li style="--class-color: ${color}"><span class="swatch"></span><span class="class-label">${name}</span>
    <span class="class-count">${[what, where, ago(removed_at, new Date())].filter(Boolean).join(" · ")}</span>
    <button class="button small" data-testid="restore-class-${id}" aria-label="Bring ${name} back"
      @click=${() => void app.class_editing.restore(entry)}>${icon(RotateCcw, 14)}<span>Bring back</span></button></li>`;
}

export function keyHint(): TemplateResult {
  return html`<span><kbd>↑</kbd><kbd>↓</kbd> choose</span><span><kbd>Enter</kbd> rename</span><span><kbd>C</kbd> colour</span>
    <span><kbd>Alt</kbd><kbd>↑</kbd><kbd>↓</kbd> sort</span><span><kbd>Alt</kbd><kbd>→</kbd> below, <kbd>←</kbd> out</span>
    <span><kbd>M</kbd> merge</span><span><kbd>Del</kbd> remove</span>`;
}

export function inputOf(event: Event): HTMLInputElement {
  if (event.target instanceof HTMLInputElement) return event.target;
  throw new Error("the event is not one of an input");
}
