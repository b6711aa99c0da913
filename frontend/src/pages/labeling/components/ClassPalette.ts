import { Check, Plus } from "lucide";
import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";

import { newClassName, searchClasses, type FoundClass } from "../../../state/class_search";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { closeOnBackdrop, showDialog, whenClosed } from "./dialog";
import { icon } from "./icon";

/** As many as a person reads; a letter more narrows the list down. */
const MOST_SHOWN = 50;
/** No row is chosen: nothing was typed yet, and Enter must not say again what was said last. */
const NOWHERE = -1;

/** A class by a few letters of its name, or of a class above it: for the open image, or for the selection of the gallery. */
export class ClassPalette extends AppView {
  static override properties: PropertyDeclarations = { ...AppView.properties, words: { state: true }, place: { state: true } };
  declare words: string;
  declare place: number;
  #stop: (() => void) | null = null;
  #adding = false;

  constructor() {
    super();
    this.words = "";
    this.place = NOWHERE;
  }

  protected watched(): readonly Readable<unknown>[] {
    const { classes, ui, recent_classes, annotations, labelling } = this.app;
    return [classes, ui.class_palette_open, recent_classes, annotations.current, labelling.selected_class_id];
  }

  /** Each opening begins anew, however it was closed. */
  override connectedCallback(): void {
    super.connectedCallback();
    this.#stop = this.app.ui.class_palette_open.subscribe((is_open) => {
      if (is_open) this.#clear();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
  }

  protected override render(): TemplateResult {
    const { ui, config } = this.app;
    if (!ui.class_palette_open.value) return html`<dialog class="palette"></dialog>`;
    const found = this.#found();
    const new_name = this.#newName();
    const add_place = Math.min(found.length, MOST_SHOWN);
    const active = found[this.place];
    const active_id = this.place === add_place && new_name !== null ? "palette-add" : active ? `palette-${active.label_class.id}` : nothing;
    return html`<dialog class="palette" aria-label="Class by name" data-testid="class-palette" @close=${whenClosed(ui.class_palette_open)} @click=${closeOnBackdrop}>
      <div class="palette-body">
        <input class="input palette-input" data-testid="palette-input" type="text" role="combobox" aria-expanded="true" aria-controls="palette-list"
          aria-activedescendant=${active_id} aria-label="Name of a class, or of one above it" autocomplete="off"
          spellcheck="false" placeholder=${this.#placeholder()} .value=${this.words} @input=${this.#typed} @keydown=${this.#keyDown} />
        <div id="palette-list" class="palette-list" role="listbox" aria-label="Classes" style="--rows: ${Math.max(this.app.classes.value.length, 3)}">
          ${found.slice(0, MOST_SHOWN).map((row, place) => this.#row(row, place))}
          ${new_name === null ? nothing : html`<div class="palette-row ${this.place === add_place ? "is-active" : ""}" id="palette-add" role="option" data-testid="palette-add"
            aria-selected=${this.place === add_place} @pointermove=${() => (this.place = add_place)} @click=${() => void this.#add(new_name)}>
            ${icon(Plus, 15)}<span class="palette-name">Add “${new_name}”</span></div>`}
        </div>
        <p class="palette-note" role="status">${found.length === 0
          ? new_name === null ? "No class is called so." : "No class is called so: Enter adds it."
          : found.length > MOST_SHOWN
            ? `${MOST_SHOWN} of ${found.length} classes: type on`
            : config.task === "multilabel"
              ? "Enter switches a class on or off, Esc closes"
              : "Enter chooses, Esc closes"}</p>
      </div>
    </dialog>`;
  }

  #row({ label_class, path, is_recent }: FoundClass, place: number): TemplateResult {
    const { id, name, color } = label_class;
    const is_held = this.#held().includes(id);
    return html`<div class="palette-row ${place === this.place ? "is-active" : ""}" id="palette-${id}" role="option" data-testid="palette-class-${id}"
      aria-selected=${place === this.place} style="--class-color: ${color}" @pointermove=${() => (this.place = place)} @click=${() => this.#choose(id)}>
      <span class="swatch"></span><span class="palette-name">${name}</span>
      ${path ? html`<span class="palette-path">${path}</span>` : nothing}
      <span class="spacer"></span>
      ${is_held ? icon(Check, 15) : is_recent && this.words === "" ? html`<span class="palette-recent">recent</span>` : nothing}
    </div>`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const is_open = this.app.ui.class_palette_open.value;
    showDialog(this, is_open);
    if (is_open) this.querySelector(".palette-row.is-active")?.scrollIntoView({ block: "nearest" });
  }

  #found(): FoundClass[] {
    return searchClasses(this.app.classes.value, this.words, this.app.recent_classes.value);
  }

  #placeholder(): string {
    if (this.app.ui.gallery_open.value) return "Label the selection…";
    return this.app.config.task === "segmentation" ? "Class to draw with…" : "Label this image…";
  }

  /** What the open image is labelled with. */
  #held(): readonly number[] {
    if (this.app.ui.gallery_open.value) return [];
    const { label, labels } = this.app.annotations.current.value;
    if (this.app.config.task === "segmentation") return [this.app.labelling.selected_class_id.value ?? 0];
    return [...(label ? [label] : []), ...(labels ?? [])].map(({ class_id }) => class_id);
  }

  #choose(class_id: number): void {
    const { ui, config } = this.app;
    this.dispatchEvent(new CustomEvent<number>("fewclick-class", { detail: class_id, bubbles: true }));
    if (config.task === "multilabel" && !ui.gallery_open.value) {
      // More may hold: the next one is typed right away.
      this.#clear();
      this.querySelector<HTMLInputElement>(".palette-input")?.focus();
    } else ui.class_palette_open.set(false);
  }

  /** The name that was typed, where no class has it. */
  #newName(): string | null {
    return newClassName(this.app.classes.value, this.words);
  }

  /** While the palette is open no other image comes: the class is for what was meant. */
  async #add(name: string): Promise<void> {
    if (this.#adding) return;
    this.#adding = true;
    const added = await this.app.class_editing.add(name);
    this.#adding = false;
    if (added !== null && this.app.ui.class_palette_open.value && this.words.trim() === name) this.#choose(added.id);
  }

  #clear(): void {
    this.words = "";
    this.place = NOWHERE;
  }

  readonly #typed = (event: Event): void => {
    if (!(event.target instanceof HTMLInputElement)) return;
    this.words = event.target.value;
    this.place = this.words.trim() === "" ? NOWHERE : 0;
  };

  readonly #keyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    const new_name = this.#newName();
    const found = this.#found().slice(0, MOST_SHOWN);
    const last = found.length - (new_name === null ? 1 : 0);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      this.place = this.place + step > last ? 0 : this.place + step < 0 ? Math.max(last, 0) : this.place + step;
    } else if (event.key === "Enter") {
      event.preventDefault();
      const chosen = found[this.place];
      if (chosen) this.#choose(chosen.label_class.id);
      else if (new_name !== null && this.place === found.length) void this.#add(new_name);
    }
  };
}

declare global {
  interface HTMLElementEventMap {
    "fewclick-class": CustomEvent<number>;
  }
}

customElements.define("fewclick-class-palette", ClassPalette);
