import "../../../styles/class_editor.css";

import { Plus, Search, X } from "lucide";
import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { classKey, type PanelKind } from "../../../state/class_keys";
import { nameProblem, type ClassUsage } from "../../../state/classes";
import { classRows, dropped, searchRows, type ClassPlace, type ClassRow } from "../../../state/class_tree";
import type { Readable } from "../../../state/signal";
import type { LabelClass } from "../../../state/types";
import { AppView } from "./AppView";
import { ClassDrag, type ClassDrop } from "./class_drag";
import { inputOf, keyHint, removedClasses } from "./class_parts";
import { classRow } from "./class_row";
import { closeOnBackdrop, showDialog, whenClosed } from "./dialog";
import { icon } from "./icon";

const SEARCH_FROM = 10;

interface Panel {
  readonly class_id: number;
  readonly kind: PanelKind;
}

/** The classes as a tree: add, rename, recolour, sort, merge, remove, bring back. All of it by mouse or by keys. */
export class ClassEditor extends AppView {
  static override properties: PropertyDeclarations = {
    ...AppView.properties,
    active_id: { state: true },
    renaming_id: { state: true },
    panel: { state: true },
    usage: { state: true },
    words: { state: true },
    problem: { state: true },
    dragged_id: { state: true },
    drop: { state: true },
  };
  /** The row that Tab reaches. */
  declare active_id: number | null;
  declare renaming_id: number | null;
  declare panel: Panel | null;
  declare usage: ClassUsage | null;
  declare words: string;
  /** What is wrong with the name of the new class. */
  declare problem: string | null;
  declare dragged_id: number | null;
  declare drop: ClassDrop | null;

  #was_open = false;
  /** Row that takes the focus once it is drawn: drawing may have moved it. */
  #focus_id: number | null = null;
  #panel_opened = false;
  readonly #drag = new ClassDrag({
    moved: (class_id, drop) => {
      this.dragged_id = class_id;
      const fits = drop !== null && dropped(this.app.classes.value, drop.class_id, drop.on_id, drop.part) !== null;
      this.drop = fits ? drop : null;
    },
    ended: (drop) => {
      const place = drop === null ? null : dropped(this.app.classes.value, drop.class_id, drop.on_id, drop.part);
      this.dragged_id = this.drop = null;
      if (drop !== null && place !== null) this.#move(drop.class_id, place);
    },
  });

  constructor() {
    super();
    this.active_id = this.renaming_id = this.panel = this.usage = this.problem = this.dragged_id = this.drop = null;
    this.words = "";
  }

  protected watched(): readonly Readable<unknown>[] {
    const { ui, classes, stats, class_editing } = this.app;
    return [ui.classes_open, classes, stats.stats, class_editing.removed];
  }

  protected override render(): TemplateResult {
    const { ui, classes } = this.app;
    const all = classRows(classes.value);
    const rows = searchRows(all, this.words);
    const active_id = rows.some(({ label_class }) => label_class.id === this.active_id) ? this.active_id : rows[0]?.label_class.id;
    return html`<dialog class="dialog class-editor" aria-labelledby="class-editor-title" @close=${whenClosed(ui.classes_open)}
      @cancel=${this.#cancel} @click=${closeOnBackdrop}>
      <div class="dialog-head">
        <h2 id="class-editor-title">Classes <span class="class-total">${all.length}</span></h2>
        <button class="button ghost icon-only" aria-label="Close" title="Close (Esc)" @click=${() => ui.classes_open.set(false)}>${icon(X)}</button>
      </div>
      ${all.length >= SEARCH_FROM ? this.#search() : nothing}
      <div class="class-tree ${this.dragged_id === null ? "" : "is-dragging"}" role="treegrid" aria-label="Classes"
        @keydown=${this.#key} @focusin=${this.#focused}>
        ${repeat(rows, ({ label_class }) => label_class.id, (row) => this.#row(row, row.label_class.id === active_id))}
      </div>
      ${rows.length === 0 ? html`<p class="hint class-none">No class is called so.</p>` : nothing}
      ${this.#newClass()} ${removedClasses(this.app)}
      <p class="class-keys">${keyHint()}</p>
    </dialog>`;
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    const row = document.activeElement instanceof HTMLElement && this.contains(document.activeElement) ? document.activeElement : null;
    if (row?.matches("[data-class-row]") === true) this.#focus_id ??= Number(row.dataset.classRow);
  }

  protected override updated(): void {
    const { value: is_open } = this.app.ui.classes_open;
    showDialog(this, is_open);
    if (is_open && !this.#was_open) {
      void this.app.class_editing.refreshRemoved();
      this.#rowElement(this.active_id ?? this.app.classes.value[0]?.id ?? null)?.focus();
    }
    this.#was_open = is_open;
    const renaming = this.querySelector<HTMLInputElement>(".class-rename");
    if (renaming !== null && document.activeElement !== renaming) {
      renaming.focus();
      renaming.select();
    } else if (this.#focus_id !== null && !this.#isBusyElsewhere()) this.#rowElement(this.#focus_id)?.focus();
    this.#focus_id = null;
    if (this.#panel_opened) this.querySelector<HTMLElement>(".class-panel [data-first]")?.focus();
    this.#panel_opened = false;
  }

  /** Somebody types, or chooses in a panel: the focus is theirs. */
  #isBusyElsewhere(): boolean {
    const { activeElement } = document;
    return activeElement !== null && activeElement !== document.body && this.contains(activeElement) && !activeElement.matches("dialog");
  }

  #search(): TemplateResult {
    return html`<label class="class-search">${icon(Search, 15)}
      <input class="input" type="search" data-testid="search-classes" placeholder="Find a class" aria-label="Find a class" autocomplete="off"
        .value=${this.words} @input=${(event: Event) => (this.words = inputOf(event).value)} /></label>`;
  }

  #row(row: ClassRow, is_active: boolean): TemplateResult {
    const { label_class } = row;
    const { id } = label_class;
    const state = {
      is_active,
      is_dragged: this.dragged_id === id,
      is_renaming: this.renaming_id === id,
      drop: this.drop?.on_id === id ? this.drop : null,
      panel: this.panel?.class_id === id ? this.panel.kind : null,
      usage: this.usage,
    };
    return classRow(this.app, row, state, {
      grab: (event) => this.#drag.start(id, event),
      rename: () => (this.renaming_id = id),
      renameKey: (event) => this.#renameKey(label_class, event),
      finishRename: (typed) => this.#finishRename(label_class, typed),
      addBelow: () => this.#addBelow(label_class),
      toggle: (panel) => this.#toggle(id, panel),
      closePanel: () => this.#close(),
      leave: (work) => this.#leave(id, work),
    });
  }

  #renameKey(label_class: LabelClass, event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === "Escape") {
      event.preventDefault();
      this.#focus_id = label_class.id;
      this.renaming_id = null;
    } else if (event.key === "Enter") {
      this.#focus_id = label_class.id;
      this.#finishRename(label_class, inputOf(event).value);
    }
  }

  #finishRename({ id, name }: LabelClass, typed: string): void {
    if (this.renaming_id !== id) return;
    this.renaming_id = null;
    const wanted = typed.trim();
    if (wanted === name || wanted === "") return;
    const problem = nameProblem(wanted, this.app.classes.value.filter((other) => other.id !== id).map((other) => other.name));
    if (problem === null) void this.app.class_editing.change(id, { name: wanted });
    else this.app.toasts.show("warning", problem);
  }

  #newClass(): TemplateResult {
    const groups = new Set(this.app.classes.value.flatMap(({ group }) => (group === null ? [] : [group])));
    return html`<form class="class-new" @submit=${this.#add}>
      <input class="input" name="name" data-testid="new-class-name" placeholder="New class" aria-label="Name of the new class" maxlength="200"
        autocomplete="off" spellcheck="false" aria-invalid=${this.problem !== null} aria-describedby="class-problem" @input=${() => (this.problem = null)} />
      <button class="button primary" data-testid="add-class">${icon(Plus, 16)}<span>Add</span></button>
      <p class="class-problem" id="class-problem" data-testid="class-problem" role="status">${this.problem ?? ""}</p>
      <datalist id="class-groups">${[...groups].map((group) => html`<option value=${group}></option>`)}</datalist>
    </form>`;
  }

  readonly #add = (event: Event): void => {
    event.preventDefault();
    const { target: form } = event;
    if (!(form instanceof HTMLFormElement)) return;
    const name = form.querySelector("input")?.value.trim() ?? "";
    this.problem = nameProblem(name, this.app.classes.value.map((other) => other.name));
    if (this.problem !== null) return;
    void this.app.class_editing.add(name).then((added) => {
      if (added === null) return;
      form.reset();
      this.#rowElement(added.id)?.scrollIntoView({ block: "nearest" });
    });
  };

  #addBelow({ id, name }: LabelClass): void {
    const taken = new Set(this.app.classes.value.map((other) => other.name.toLowerCase()));
    let wanted = `New in ${name}`;
    for (let number = 2; taken.has(wanted.toLowerCase()); number += 1) wanted = `New in ${name} ${number}`;
    void this.app.class_editing.add(wanted.slice(0, 200), id).then((added) => {
      if (added === null) return;
      this.active_id = this.renaming_id = added.id;
    });
  }

  #toggle(class_id: number, kind: PanelKind): void {
    if (this.panel?.class_id === class_id && this.panel.kind === kind) {
      this.#close();
      return;
    }
    this.active_id = class_id;
    this.panel = { class_id, kind };
    this.#panel_opened = true;
    this.usage = null;
    if (kind === "color") return;
    void this.app.class_editing.usage(class_id).then((usage) => {
      if (this.panel?.class_id === class_id) this.usage = usage;
    });
  }

  #close(): void {
    this.#focus_id = this.panel?.class_id ?? null;
    this.panel = null;
    this.#rowElement(this.#focus_id)?.focus();
  }

  /** The row goes, or stays where it was refused; its neighbour is at hand then. */
  #leave(class_id: number, work: Promise<boolean>): void {
    const ids = this.app.classes.value.map(({ id }) => id);
    const next = ids[ids.indexOf(class_id) + 1] ?? ids[ids.indexOf(class_id) - 1] ?? null;
    this.panel = null;
    void work.then((done) => {
      this.active_id = done ? next : class_id;
      void this.updateComplete.then(() => this.#rowElement(this.active_id)?.focus());
    });
  }

  #move(class_id: number, place: ClassPlace): void {
    this.active_id = this.#focus_id = class_id;
    void this.app.class_editing.change(class_id, place);
  }

  readonly #focused = (event: FocusEvent): void => {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-class-row]") : null;
    if (row) this.active_id = Number(row.dataset.classRow);
  };

  /** Escape, wherever the focus is: what was asked last is closed first. */
  readonly #cancel = (event: Event): void => {
    if (this.panel === null) return;
    event.preventDefault();
    this.#close();
  };

  readonly #key = (event: KeyboardEvent): void => {
    const row = event.target instanceof HTMLElement ? event.target : null;
    // In a panel, Escape closes that alone.
    if (event.key === "Escape" && this.panel !== null) {
      event.preventDefault();
      event.stopPropagation();
      this.#close();
      return;
    }
    if (row?.matches("[data-class-row]") !== true) return;
    const ids = [...this.querySelectorAll<HTMLElement>("[data-class-row]")].map((element) => Number(element.dataset.classRow));
    const action = classKey(event, this.app.classes.value, ids, Number(row.dataset.classRow));
    if (action === null) return;
    event.preventDefault();
    event.stopPropagation();
    const class_id = Number(row.dataset.classRow);
    const label_class = this.app.classes.value.find(({ id }) => id === class_id);
    if (action.kind === "go") this.#rowElement(action.class_id)?.focus();
    else if (action.kind === "move") this.#move(class_id, action.place);
    else if (action.kind === "rename") this.renaming_id = class_id;
    else if (action.kind === "panel") this.#toggle(class_id, action.panel);
    else if (label_class) this.#addBelow(label_class);
  };

  #rowElement(class_id: number | null): HTMLElement | null {
    return class_id === null ? null : this.querySelector<HTMLElement>(`[data-class-row="${class_id}"]`);
  }
}

customElements.define("fewclick-class-editor", ClassEditor);
