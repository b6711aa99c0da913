import { Combine, GripVertical, Plus, Trash2 } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import type { App } from "../../../app";
import type { PanelKind } from "../../../state/class_keys";
import type { ClassUsage } from "../../../state/classes";
import type { ClassRow } from "../../../state/class_tree";
import { textOn } from "../../../state/color";
import type { LabelClass } from "../../../state/types";
import type { ClassDrop } from "./class_drag";
import { classPanel } from "./class_panels";
import { classCount, groupField, inputOf } from "./class_parts";
import { icon } from "./icon";

/** How the row stands in the editor. */
export interface RowState {
  /** Tab reaches it. */
  readonly is_active: boolean;
  readonly is_dragged: boolean;
  readonly is_renaming: boolean;
  /** What is dragged would be dropped here. */
  readonly drop: ClassDrop | null;
  readonly panel: PanelKind | null;
  readonly usage: ClassUsage | null;
}

export interface RowHandlers {
  grab(event: PointerEvent): void;
  rename(): void;
  renameKey(event: KeyboardEvent): void;
  finishRename(typed: string): void;
  addBelow(): void;
  toggle(panel: PanelKind): void;
  closePanel(): void;
  /** The class goes, if the work is done. */
  leave(work: Promise<boolean>): void;
}

/** A class in the editor: its handle, colour, name, counts and what can be done to it, with the panel that is open. */
export function classRow(app: App, row: ClassRow, state: RowState, handlers: RowHandlers): TemplateResult {
  const { label_class, index, depth, place, siblings } = row;
  const { id, name, color } = label_class;
  const { is_active, panel } = state;
  const tab = is_active ? 0 : -1;
  const drop = state.drop === null ? "" : `drop-${state.drop.part}`;
  return html`<div class="class-item ${drop} ${state.is_dragged ? "is-dragged" : ""}" role="row" data-class-row=${id}
    data-testid="class-row-${id}" aria-level=${depth + 1} aria-posinset=${place + 1} aria-setsize=${siblings}
    aria-selected=${is_active} aria-label=${name} tabindex=${tab} style="--depth: ${depth}; --class-color: ${color}">
    <span role="gridcell" class="class-lead">
      <button class="class-handle" tabindex="-1" aria-label="Move ${name}" title="Drag to sort, or onto a class to put it below (Alt + arrow keys)"
        @pointerdown=${(event: PointerEvent) => handlers.grab(event)}>${icon(GripVertical, 14)}</button>
      <button class="class-swatch" tabindex=${tab} data-testid="color-${id}" aria-label="Colour of ${name}${index < 9 ? `, key ${index + 1}` : ""}" title="Colour (C)"
        aria-expanded=${panel === "color"} style="color: ${textOn(color)}"
        @click=${() => handlers.toggle("color")}>${index < 9 ? index + 1 : nothing}</button>
    </span>
    <span role="gridcell" class="class-title">${state.is_renaming ? nameField(label_class, handlers) : nameOf(label_class, handlers)}</span>
    ${app.config.task === "multilabel" ? groupField(app, label_class, tab) : nothing}
    <span role="gridcell" class="class-count" title="Annotations">${classCount(app, id)}</span>
    ${actions(app, label_class, tab, panel, handlers)}
    ${panel === null ? nothing : classPanel(panel, label_class, app, state.usage, {
      close: () => handlers.closePanel(),
      recolor: (wanted) => void app.class_editing.change(id, { color: wanted }),
      merge: (into) => handlers.leave(app.class_editing.merge(label_class, into)),
      remove: () => handlers.leave(app.class_editing.remove(label_class)),
    })}
  </div>`; // prettier-ignore
}

function actions(app: App, { id, name }: LabelClass, tab: number, panel: PanelKind | null, handlers: RowHandlers): TemplateResult {
  return html`<span role="gridcell" class="class-actions">
    <button class="button ghost icon-only small" tabindex=${tab} data-testid="add-below-${id}" aria-label="Add a class below ${name}"
      title="Add a class below (Insert)" @click=${() => handlers.addBelow()}>${icon(Plus, 15)}</button>
    <button class="button ghost icon-only small" tabindex=${tab} data-testid="merge-class-${id}" aria-label="Merge ${name} into another class"
      title="Merge into … (M)" aria-expanded=${panel === "merge"}
      ?disabled=${app.classes.value.length < 2} @click=${() => handlers.toggle("merge")}>${icon(Combine, 15)}</button>
    <button class="button ghost icon-only small" tabindex=${tab} data-testid="remove-class-${id}" aria-label="Remove ${name}"
      title="Remove (Del)" aria-expanded=${panel === "remove"}
      @click=${() => handlers.toggle("remove")}>${icon(Trash2, 15)}</button>
  </span>`;
}

function nameOf({ name }: LabelClass, handlers: RowHandlers): TemplateResult {
  return html`<span class="class-label" title="Double-click to rename (Enter)" @dblclick=${() => handlers.rename()}>${name}</span>`;
}

function nameField({ id, name }: LabelClass, handlers: RowHandlers): TemplateResult {
  return html`<input class="input class-rename" data-testid="rename-${id}" aria-label="Name of ${name}"
    .value=${name} maxlength="200" autocomplete="off" spellcheck="false" @keydown=${(event: KeyboardEvent) => handlers.renameKey(event)}
    @blur=${(event: Event) => handlers.finishRename(inputOf(event).value)} />`;
}
