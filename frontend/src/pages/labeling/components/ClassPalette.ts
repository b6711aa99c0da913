import { Check } from "lucide";
import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";

import { searchClasses, type FoundClass } from "../../../state/class_search";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { closeOnBackdrop, showDialog, whenClosed } from "./dialog";
import { icon } from "./icon";

/** As many as a person reads; a letter more narrows the list down. */
const MOST_SHOWN = 50;

/** A class by a few letters of its name, or of a class above it: for the open image, or for the selection of the gallery. */
export class ClassPalette extends AppView {
  static override properties: PropertyDeclarations = { ...AppView.properties, words: { state: true }, place: { state: true } };
  declare words: string;
  declare place: number;

  constructor() {
    super();
    this.words = "";
    this.place = 0;
  }

  protected watched(): readonly Readable<unknown>[] {
    const { classes, ui, recent_classes, annotations, labelling } = this.app;
    return [classes, ui.class_palette_open, recent_classes, annotations.current, labelling.selected_class_id];
  }

  protected override render(): TemplateResult {
    const { ui, config } = this.app;
    if (!ui.class_palette_open.value) return html`<dialog class="palette"></dialog>`;
    const found = this.#found();
    const active = found[this.place];
    return html`<dialog class="palette" aria-label="Class by name" data-testid="class-palette" @close=${this.#closed} @click=${closeOnBackdrop}>
      <div class="palette-body">
        <input class="input palette-input" data-testid="palette-input" type="text" role="combobox" aria-expanded="true" aria-controls="palette-list"
          aria-activedescendant=${active ? `palette-${active.label_class.id}` : nothing} aria-label="Name of a class, or of one above it" autocomplete="off"
          spellcheck="false" placeholder=${this.#placeholder()} .value=${this.words} @input=${this.#typed} @keydown=${this.#keyDown} />
        <div id="palette-list" class="palette-list" role="listbox" aria-label="Classes" style="--rows: ${Math.max(this.app.classes.value.length, 3)}">
          ${found.slice(0, MOST_SHOWN).map((row, place) => this.#row(row, place))}
        </div>
        <p class="palette-note" role="status">${found.length === 0
          ? "No class is called so."
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
      this.words = "";
      this.place = 0;
      this.querySelector<HTMLInputElement>(".palette-input")?.focus();
    } else ui.class_palette_open.set(false);
  }

  readonly #typed = (event: Event): void => {
    if (!(event.target instanceof HTMLInputElement)) return;
    this.words = event.target.value;
    this.place = 0;
  };

  readonly #keyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    const last = Math.min(this.#found().length, MOST_SHOWN) - 1;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      this.place = this.place + step > last ? 0 : this.place + step < 0 ? Math.max(last, 0) : this.place + step;
    } else if (event.key === "Enter") {
      event.preventDefault();
      const chosen = this.#found()[this.place];
      if (chosen) this.#choose(chosen.label_class.id);
    }
  };

  readonly #closed = (event: Event): void => {
    this.words = "";
    this.place = 0;
    whenClosed(this.app.ui.class_palette_open)(event);
  };
}

declare global {
  interface HTMLElementEventMap {
    "fewclick-class": CustomEvent<number>;
  }
}

customElements.define("fewclick-class-palette", ClassPalette);
