import "../../../styles/help.css";

import { ClipboardCopy, Download, Keyboard, Lightbulb, RotateCcw, Search, Upload, X } from "lucide";
import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";

import { keyCaps, keyName, type Binding, type Command } from "../../../state/keymap";
import { clashOf, isFixed, keyOf, type Clash } from "../../../state/key_remap";
import { exported, imported } from "../../../state/preferences";
import type { Readable } from "../../../state/signal";
import type { Task } from "../../../state/types";
import { copyDetails } from "../problem_details";
import { AppView } from "./AppView";
import { cursorLines, cursorNote, digitLines, mouseLines, type Fixed } from "./fixed_keys";
import { closeOnBackdrop, showDialog, whenClosed } from "./dialog";
import { icon } from "./icon";

const TASK_NAMES: Readonly<Record<Task, string>> = { segmentation: "Segmentation", classification: "Classification", multilabel: "Multi-label" };

/** A command that waits for its new key; `key` once one was pressed that something stands in the way of. */
interface Capture {
  readonly command: Command;
  readonly key: string | null;
  readonly clash: Clash | null;
}

/** Every key, from the table that makes them work; each can be changed here. */
export class KeyHelp extends AppView {
  static override properties: PropertyDeclarations = {
    ...AppView.properties,
    wanted: { state: true },
    all_tasks: { state: true },
    capture: { state: true },
  };
  declare wanted: string;
  declare all_tasks: boolean;
  declare capture: Capture | null;

  constructor() {
    super();
    this.wanted = "";
    this.all_tasks = false;
    this.capture = null;
  }

  protected watched(): readonly Readable<unknown>[] {
    return [this.app.ui.help_open, this.app.preferences];
  }

  protected override render(): TemplateResult {
    const { help_open } = this.app.ui;
    const groups = this.#groups();
    return html`<dialog class="dialog wide help-dialog" data-testid="key-help" aria-labelledby="help-title"
      @close=${this.#closed} @cancel=${this.#cancel} @click=${closeOnBackdrop} @keydown=${this.#keydown}>
      <div class="dialog-head help-head">
        <h2 id="help-title">Keys and mouse</h2>
        <label class="search">${icon(Search, 16)}<input class="input" type="search" data-testid="key-search" placeholder="Action or key"
          aria-label="Search actions and keys" autocomplete="off" .value=${this.wanted}
          @input=${(event: Event) => (this.wanted = (event.target as HTMLInputElement).value)} /></label>
        <div class="segmented" role="radiogroup" aria-label="Keys of">
          ${([false, true] as const).map((all) => html`<button role="radio" aria-checked=${all === this.all_tasks} data-testid=${all ? "keys-all" : "keys-here"}
            @click=${() => (this.all_tasks = all)}>${all ? "All tasks" : "This session"}</button>`)}
        </div>
        <button class="button ghost icon-only" aria-label="Close" @click=${() => help_open.set(false)}>${icon(X)}</button>
      </div>
      <div class="help-body">
        ${groups.length === 0 ? html`<p class="empty">No action or key matches “${this.wanted}”.</p>` : html`<div class="key-groups">${groups}</div>`}
      </div>
      ${this.#foot()}
      <p class="visually-hidden" role="status" aria-live="assertive">${this.#spoken()}</p>
    </dialog>`;
  }

  protected override updated(): void {
    showDialog(this, this.app.ui.help_open.value);
  }

  #groups(): TemplateResult[] {
    const shown = this.all_tasks ? this.app.keys.bindings.value : this.app.keys.here;
    const groups = [...new Set(shown.map(({ group }) => group))].map((group) => {
      const rows = shown.filter((binding) => binding.group === group && this.#fits(binding.text, binding.keys.map(keyName)));
      const { task } = this.app.config;
      if (group === "Keyboard on the image") return this.#section(group, [], rows, cursorLines(task));
      return this.#section(group, group === "Labelling" ? digitLines(task) : [], rows);
    });
    return [...groups, this.#section("Mouse", mouseLines(this.app.config.task, this.app.classes.value.length), [])].filter((group) => group !== null);
  }

  #section(title: string, fixed: readonly Fixed[], rows: readonly Binding[], fixed_below: readonly Fixed[] = []): TemplateResult | null {
    const [above, below] = [this.#lines(fixed), this.#lines(fixed_below)];
    if (above.length + rows.length + below.length === 0) return null;
    return html`<section><h3>${title}</h3><ul>${above} ${rows.map((binding) => this.#row(binding))} ${below}</ul></section>`;
  }

  #lines(fixed: readonly Fixed[]): TemplateResult[] {
    const found = fixed.filter(({ text, keys }) => this.#fits(text, keys.map((caps) => caps.join("+"))));
    return found.map(({ keys, text, between }) => html`<li><span class="key-caps is-fixed">${capsOf(keys, between)}</span><span class="key-text">${text}</span></li>`);
  }

  #row(binding: Binding): TemplateResult {
    const { command, keys, text, task } = binding;
    const note = cursorNote(binding, this.app.config.task);
    const capture = this.capture?.command === command ? this.capture : null;
    const is_changed = this.app.keys.changes[command] !== undefined;
    const caps = keys.length === 0 ? html`<span class="key-none">no key</span>` : capsOf(keys.map(keyCaps));
    return html`<li data-command=${command} class=${is_changed ? "is-changed" : ""}>
      ${isFixed(command)
        ? html`<span class="key-caps is-fixed">${caps}</span>`
        : html`<button class="key-caps ${capture ? "is-waiting" : ""}" data-testid="key-of-${command}" id="key-of-${command}"
            aria-labelledby="key-text-${command} key-of-${command}" title="Change the key" @click=${() => this.#wait(command)}>
            ${capture ? html`<span class="key-none">Press a key</span>` : caps}</button>`}
      <span class="key-text" id="key-text-${command}">${text}${this.all_tasks && task !== undefined ? html` <span class="count">${TASK_NAMES[task]}</span>` : nothing}${note === "" ? nothing : html`<small class="key-note">${note}</small>`}</span>
      ${is_changed ? html`<button class="button ghost small icon-only" data-testid="reset-${command}" aria-label="As delivered: ${text}"
        title="As delivered" @click=${() => this.app.keys.reset(command)}>${icon(RotateCcw, 14)}</button>` : nothing}
      ${capture?.clash ? this.#clash(capture.command, capture.key ?? "", capture.clash) : nothing}
    </li>`;
  }

  #clash(command: Command, key: string, clash: Clash): TemplateResult {
    if (clash.kind === "refused") return html`<div class="key-clash" data-testid="key-clash">${clash.why}. Press another key, or Esc.</div>`;
    return html`<div class="key-clash" data-testid="key-clash"><span>${clashLine(key, clash.by)}</span>
      <span class="key-clash-buttons">
        <button class="button small primary" data-testid="key-replace" @click=${() => this.#assign(command, key)}>Replace</button>
        <button class="button small" @click=${() => (this.capture = null)}>Cancel</button></span></div>`;
  }

  #foot(): TemplateResult {
    const { app } = this;
    const changed = Object.keys(app.keys.changes).length;
    return html`<div class="help-foot">
      <button class="button small" data-testid="keys-reset-all" ?disabled=${changed === 0} @click=${this.#resetAll}>
        ${icon(Keyboard, 14)}<span>All keys as delivered${changed === 0 ? "" : ` (${changed} changed)`}</span></button>
      <button class="button small" data-testid="hints-again" @click=${this.#hintsAgain}>${icon(Lightbulb, 14)}<span>Show hints again</span></button>
      <span class="spacer"></span>
      <button class="button small" data-testid="settings-export" title="Keys, colours, overlay: a file for another browser"
        @click=${this.#export}>${icon(Download, 14)}<span>Save settings</span></button>
      <label class="button small" title="A file that was saved here or in another browser">${icon(Upload, 14)}<span>Load settings</span>
        <input class="visually-hidden" type="file" accept="application/json,.json" data-testid="settings-import" @change=${this.#import} /></label>
      <button class="button small" data-testid="copy-details" title="Version, browser, counts, last errors and requests; no labels, no folders"
        @click=${() => void copyDetails(app)}>${icon(ClipboardCopy, 14)}<span>Copy details for a report</span></button>
    </div>`;
  }

  #fits(text: string, keys: readonly string[]): boolean {
    const wanted = this.wanted.trim().toLowerCase();
    return wanted === "" || text.toLowerCase().includes(wanted) || keys.some((key) => key.toLowerCase() === wanted);
  }

  #wait(command: Command): void {
    this.capture = this.capture?.command === command ? null : { command, key: null, clash: null };
  }

  /** While a command waits for its key, the key means nothing else. */
  readonly #keydown = (event: KeyboardEvent): void => {
    const { capture } = this;
    if (capture === null) return;
    const is_asked = capture.clash?.kind === "taken";
    if (event.key === "Escape") {
      event.preventDefault();
      this.capture = null;
      return;
    }
    // Enter and Tab belong to the question of whether to replace.
    if (is_asked) return;
    const { code, shiftKey: shift, altKey: alt } = event;
    const key = keyOf({ key: event.key, code, ctrl: event.ctrlKey || event.metaKey, shift, alt });
    if (event.key === "Tab" || key === null) return;
    event.preventDefault();
    const clash = clashOf(this.app.keys.bindings.value, capture.command, key);
    if (clash === null) this.#assign(capture.command, key);
    else this.#ask({ command: capture.command, key, clash });
  };

  #ask(capture: Capture): void {
    this.capture = capture;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>("[data-testid=key-replace]")?.focus());
  }

  #assign(command: Command, key: string): void {
    this.app.keys.assign(command, key);
    this.capture = null;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(`[data-testid=key-of-${command}]`)?.focus());
  }

  #spoken(): string {
    const { capture } = this;
    if (capture === null) return "";
    if (capture.clash === null) return "Press the new key, or Escape";
    return capture.clash.kind === "refused" ? capture.clash.why : clashLine(capture.key ?? "", capture.clash.by);
  }

  readonly #resetAll = (): void => {
    const before = this.app.keys.changes;
    this.app.keys.resetAll();
    this.app.toasts.show("info", "All keys are as delivered.", {
      action: { text: "Undo", run: () => this.app.preferences.change({ keys: before }) },
    });
  };

  readonly #hintsAgain = (): void => {
    this.app.preferences.change({ hints_done: [], hint_dismissed: false });
    this.app.ui.help_open.set(false);
  };

  readonly #export = (): void => {
    const url = URL.createObjectURL(new Blob([exported(this.app.preferences.value)], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: "fewclick-settings.json" });
    link.click();
    URL.revokeObjectURL(url);
  };

  readonly #import = async (event: Event): Promise<void> => {
    const input = event.target as HTMLInputElement;
    const file = input.files?.[0];
    input.value = "";
    if (file === undefined) return;
    const found = imported(await file.text());
    if (found === null) this.app.toasts.show("error", `${file.name} holds no settings of this page: expected a file of “Save settings”.`);
    else {
      this.app.preferences.change(found);
      this.app.toasts.show("success", "Settings loaded.");
    }
  };

  readonly #cancel = (event: Event): void => {
    if (this.capture === null || event.target !== event.currentTarget) return;
    event.preventDefault();
    this.capture = null;
  };

  readonly #closed = (event: Event): void => {
    this.capture = null;
    this.wanted = "";
    whenClosed(this.app.ui.help_open)(event);
  };
}

/** "F is Next image, which would keep →." */
function clashLine(key: string, by: readonly Binding[]): string {
  const losers = by.map(({ text, keys }) => {
    const left = keys.filter((other) => other !== key).map(keyName);
    return `“${text}”, which would ${left.length === 0 ? "have no key" : `keep ${left.join(" and ")}`}`;
  });
  return `${keyName(key)} is ${losers.join("; and ")}.`;
}

function capsOf(keys: readonly (readonly string[])[], between = "or"): TemplateResult[] {
  return keys.map((caps, i) => html`${i > 0 ? html`<span class="or">${between}</span>` : ""}${caps.map((cap) => html`<kbd>${cap}</kbd>`)}`);
}

customElements.define("fewclick-key-help", KeyHelp);
