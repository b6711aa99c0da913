import { Plus, Trash2, X } from "lucide";
import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { Readable } from "../../../state/signal";
import type { LabelClass } from "../../../state/types";
import { AppView } from "./AppView";
import { closeOnBackdrop, showDialog } from "./dialog";
import { icon } from "./icon";

/** Add, rename, recolour and remove classes. A removal says first how many annotations go. */
export class ClassEditor extends AppView {
  static override properties: PropertyDeclarations = { ...AppView.properties, removing_id: { state: true } };
  declare removing_id: number | null;

  constructor() {
    super();
    this.removing_id = null;
  }

  protected watched(): readonly Readable<unknown>[] {
    const { ui, classes, stats } = this.app;
    return [ui.classes_open, classes, stats.stats];
  }

  protected override render(): TemplateResult {
    const { ui, classes } = this.app;
    return html`<dialog class="dialog" aria-labelledby="class-editor-title" @close=${() => ui.classes_open.set(false)}
      @click=${closeOnBackdrop}>
      <div class="dialog-head">
        <h2 id="class-editor-title">Classes</h2>
        <button class="button ghost icon-only" aria-label="Close" @click=${() => ui.classes_open.set(false)}>${icon(X)}</button>
      </div>
      <ul class="class-editor-list">
        ${repeat(classes.value, ({ id }) => id, (label_class) => this.#row(label_class))}
      </ul>
      <form class="class-editor-new" @submit=${this.#add}>
        <input class="input" name="name" data-testid="new-class-name" placeholder="New class" aria-label="Name of the new class"
          required maxlength="200" autocomplete="off" />
        <button class="button primary" data-testid="add-class">${icon(Plus, 16)}<span>Add</span></button>
      </form>
    </dialog>`;
  }

  protected override updated(): void {
    showDialog(this, this.app.ui.classes_open.value);
  }

  #row(label_class: LabelClass): TemplateResult {
    const { id, name, color } = label_class;
    return html`<li>
      <input type="color" .value=${color} aria-label="Colour of ${name}" @change=${(event: Event) => this.#recolor(id, event)} />
      <input class="input" .value=${name} aria-label="Name of ${name}" maxlength="200" autocomplete="off"
        @change=${(event: Event) => this.#rename(label_class, event)} />
      ${this.app.config.task === "multilabel" ? this.#group(label_class) : nothing}
      <span class="count">${this.#count(id)}</span>
      <button class="button ghost icon-only" data-testid="remove-class-${id}" aria-label="Remove ${name}" title="Remove"
        @click=${() => (this.removing_id = id)}>${icon(Trash2, 16)}</button>
      ${this.removing_id === id ? this.#confirmation(label_class) : nothing}
    </li>`;
  }

  /** Classes with the same word here exclude each other. */
  #group(label_class: LabelClass): TemplateResult {
    const { id, name, group } = label_class;
    return html`<input class="input class-editor-group" .value=${group ?? ""} data-testid="group-${id}" aria-label="Group of ${name}"
      title="Of the classes of a group an image has one at most" placeholder="No group" maxlength="200" autocomplete="off"
      @change=${(event: Event) => this.#regroup(label_class, event)} />`;
  }

  #regroup({ id, group }: LabelClass, event: Event): void {
    const { target: input } = event;
    if (!(input instanceof HTMLInputElement)) return;
    const wanted = input.value.trim() || null;
    if (wanted === group) return;
    void this.app.class_editing.change(id, { group: wanted }).then((changed) => {
      if (!changed) input.value = group ?? "";
    });
  }

  #confirmation(label_class: LabelClass): TemplateResult {
    return html`<div class="confirmation" role="alert">
      <span>Remove “${label_class.name}” with ${this.#count(label_class.id) || "no annotations"}?</span>
      <button class="button small" @click=${() => (this.removing_id = null)}>Keep</button>
      <button class="button small danger" data-testid="confirm-remove-class" @click=${() => this.#remove(label_class)}>Remove</button>
    </div>`;
  }

  #count(class_id: number): string {
    const found = this.app.stats.stats.value?.by_class.find((entry) => entry.class_id === class_id);
    const count = this.app.config.task === "segmentation" ? found?.points : found?.images;
    if (!count) return "";
    return `${count} ${this.app.config.task === "segmentation" ? "point" : "image"}${count === 1 ? "" : "s"}`;
  }

  readonly #add = (event: Event): void => {
    event.preventDefault();
    const { target: form } = event;
    if (!(form instanceof HTMLFormElement)) return;
    const name = new FormData(form).get("name");
    if (typeof name !== "string") return;
    void this.app.class_editing.add(name.trim()).then((added) => {
      if (added) form.querySelector<HTMLInputElement>("[name=name]")?.form?.reset();
    });
  };

  #rename({ id, name }: LabelClass, event: Event): void {
    const { target: input } = event;
    if (!(input instanceof HTMLInputElement) || input.value.trim() === name) return;
    void this.app.class_editing.change(id, { name: input.value.trim() }).then((changed) => {
      if (!changed) input.value = name;
    });
  }

  #recolor(class_id: number, event: Event): void {
    if (event.target instanceof HTMLInputElement) void this.app.class_editing.change(class_id, { color: event.target.value });
  }

  #remove(label_class: LabelClass): void {
    this.removing_id = null;
    void this.app.class_editing.remove(label_class);
  }
}

customElements.define("fewclick-class-editor", ClassEditor);
