import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../../../app";
import type { PanelKind } from "../../../state/class_keys";
import { below, childrenOf } from "../../../state/class_tree";
import { SWATCHES, usageText, type ClassUsage } from "../../../state/classes";
import type { LabelClass } from "../../../state/types";
import { counted } from "../../../state/words";

export interface PanelHandlers {
  readonly close: () => void;
  readonly recolor: (color: string) => void;
  readonly merge: (into: LabelClass) => void;
  readonly remove: () => void;
}

/** What opens below the row of a class; the focus goes to what has `data-first`, which changes nothing. `usage` null: not counted yet. */
export function classPanel(
  kind: PanelKind,
  label_class: LabelClass,
  app: App,
  usage: ClassUsage | null,
  handlers: PanelHandlers,
): TemplateResult {
  switch (kind) {
    case "color":
      return colorPanel(label_class, app.classes.value, handlers);
    case "merge":
      return mergePanel(label_class, app, usage, handlers);
    case "remove":
      return removePanel(label_class, app, usage, handlers);
  }
}

function colorPanel({ id, name, color }: LabelClass, classes: readonly LabelClass[], { recolor, close }: PanelHandlers): TemplateResult {
  const others = new Map(classes.filter((other) => other.id !== id).map((other) => [other.color.toUpperCase(), other.name]));
  const swatch = (wanted: string): TemplateResult => {
    const user = others.get(wanted);
    const is_own = wanted === color.toUpperCase();
    return html`<button class="palette-color ${user === undefined ? "" : "is-used"}" aria-pressed=${is_own} style="background: ${wanted}"
      data-color=${wanted} ?data-first=${is_own} aria-label="${wanted}${user === undefined ? "" : `, colour of ${user}`}" title=${user === undefined ? wanted : `${wanted}: ${user}`}
      @click=${() => recolor(wanted)}></button>`;
  };
  return html`<div role="gridcell" class="class-panel"><div class="color-palette" role="group" aria-label="Colour of ${name}">
    ${SWATCHES.map(swatch)}
    <label class="palette-custom"><input type="color" .value=${color.toLowerCase()} data-testid="custom-color-${id}"
      @change=${(event: Event) => event.target instanceof HTMLInputElement && recolor(event.target.value)} /><span>Other…</span></label>
    <button class="button small" ?data-first=${!SWATCHES.includes(color.toUpperCase())} @click=${close}>Done</button>
  </div></div>`;
}

function mergePanel(label_class: LabelClass, { classes, config }: App, usage: ClassUsage | null, handlers: PanelHandlers): TemplateResult {
  const others = classes.value.filter(({ id }) => id !== label_class.id);
  const what = usage === null ? "…" : usageText(usage, config.task);
  const merge = (event: Event): void => {
    event.preventDefault();
    const form = event.target instanceof HTMLFormElement ? event.target : null;
    const into = others.find(({ id }) => id === Number(form === null ? null : new FormData(form).get("into")));
    if (into) handlers.merge(into);
  };
  return html`<div role="gridcell" class="class-panel is-grave"><form class="panel-line" @submit=${merge}>
    <span>${what === "" ? "Nothing has this class yet. Merge it into" : `Give its ${what} to`}</span>
    <select class="select" name="into" required data-first data-testid="merge-into" aria-label="Class that takes over">
      <option value="" selected>Choose…</option>
      ${others.map(({ id, name }) => html`<option value=${id}>${name}</option>`)}
    </select>
    <button class="button small" type="button" @click=${handlers.close}>Cancel</button>
    <button class="button small danger" data-testid="confirm-merge" ?disabled=${usage === null}>Merge</button>
    <small data-testid="merge-warning">“Undo” in the message brings “${label_class.name}” back with them; so does “Removed” below, at any time.</small>
  </form></div>`;
}

function removePanel(label_class: LabelClass, { classes, config }: App, usage: ClassUsage | null, handlers: PanelHandlers): TemplateResult {
  const is_last = classes.value.length === 1;
  const children = childrenOf(classes.value, label_class.id);
  const what = usage === null ? "…" : usageText(usage, config.task) || "nothing: no annotation has it";
  const count = below(classes.value, label_class.id).length - 1;
  return html`<div role="gridcell" class="class-panel is-grave"><div class="panel-line" role="alert">
    <span>${is_last ? "The only class cannot be removed: add another one first." : html`With “${label_class.name}” goes <strong data-testid="removal-count">${what}</strong>.`}
      ${children.length > 0 ? html`${count === 1 ? "The class below it moves up." : `The ${counted(count, "class", "classes")} below it move up.`}` : nothing}</span>
    <button class="button small" data-first data-testid="keep-class" @click=${handlers.close}>Keep</button>
    <button class="button small danger" data-testid="confirm-remove-class" ?disabled=${is_last} @click=${handlers.remove}>Remove</button>
    ${is_last ? nothing : html`<small>It can be brought back with all of it, here, at any time.</small>`}
  </div></div>`;
}
