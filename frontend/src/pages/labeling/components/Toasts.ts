import { CircleAlert, CircleCheck, ClipboardCopy, Info, TriangleAlert, X } from "lucide";
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { Readable } from "../../../state/signal";
import type { Toast, ToastAction } from "../../../state/toasts";
import { withCode } from "../code_text";
import { copyDetails } from "../problem_details";
import { AppView } from "./AppView";
import { icon } from "./icon";

const ICONS = { info: Info, success: CircleCheck, warning: TriangleAlert, error: CircleAlert } as const;
/** What can be taken back must be read first, and reached. */
const WITH_ACTION_MS = 12_000;
const SHOWN_MS = { info: 4_000, success: 4_000, warning: 9_000, error: 12_000 } as const;

/** Short messages in a corner; they go by themselves, later the graver they are. */
export class Toasts extends AppView {
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #box: HTMLElement | null = null;
  /** What had the focus before a message of the dialog that is open. */
  #came_from: HTMLElement | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    // Neither bubbles.
    for (const name of ["toggle", "close"]) document.addEventListener(name, this.#followDialog, true);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const name of ["toggle", "close"]) document.removeEventListener(name, this.#followDialog, true);
  }

  protected watched(): readonly Readable<unknown>[] {
    return [this.app.toasts];
  }

  protected override render(): TemplateResult {
    return html`<div class="toasts" popover="manual" role="log" aria-live="polite" aria-label="Messages" @focusin=${this.#focused}>
      ${repeat(this.app.toasts.value, ({ id }) => id, (toast) => this.#toast(toast))}
    </div>`;
  }

  protected override updated(): void {
    this.#bringToFront();
    for (const { id, kind, keep, action } of this.app.toasts.value) {
      const shown_ms = action === undefined ? SHOWN_MS[kind] : Math.max(SHOWN_MS[kind], WITH_ACTION_MS);
      if (keep !== true && !this.#timers.has(id)) this.#timers.set(id, setTimeout(() => this.#dismiss(id), shown_ms));
    }
  }

  #toast({ id, kind, text, detail, action, more_actions = [] }: Toast): TemplateResult {
    const actions = action ? [action, ...more_actions] : more_actions;
    return html`<div class="toast is-${kind}" data-testid="toast" data-kind=${kind}>
      ${icon(ICONS[kind])}
      <div class="toast-body">
        <div class="toast-text">${withCode(text)}${detail ? html`<details><summary>Details</summary><pre>${detail}</pre></details>` : nothing}</div>
        ${actions.length > 0 ? html`<div class="toast-actions">${actions.map((way) => this.#action(id, way))}</div>` : nothing}
      </div>
      ${kind === "error"
        ? html`<button class="button ghost icon-only small" data-testid="toast-copy" aria-label="Copy details for a report" title="Copy details for a report"
            @click=${() => void copyDetails(this.app)}>${icon(ClipboardCopy, 14)}</button>`
        : nothing}
      <button class="button ghost icon-only small" aria-label="Dismiss" @click=${() => this.#dismiss(id)}>${icon(X, 14)}</button>
    </div>`;
  }

  #action(id: number, { text, run }: ToastAction): TemplateResult {
    const act = (): void => {
      this.#dismiss(id);
      run();
    };
    return html`<button class="button small" @click=${act}>${text}</button>`;
  }

  /** Into the dialog that is open: all else is out of reach then, also what lies above it. */
  #bringToFront(): void {
    this.#box ??= this.querySelector<HTMLElement>(".toasts");
    const box = this.#box;
    if (box === null) return;
    if (box.matches(":popover-open")) box.hidePopover();
    const home = [...document.querySelectorAll<HTMLElement>("dialog:modal")].at(-1) ?? this;
    if (box.parentElement !== home) home.append(box);
    if (this.app.toasts.value.length > 0) box.showPopover();
  }

  readonly #followDialog = ({ target }: Event): void => {
    if (target instanceof HTMLDialogElement) this.#bringToFront();
  };

  readonly #focused = ({ relatedTarget }: FocusEvent): void => {
    if (relatedTarget instanceof HTMLElement && this.#box?.contains(relatedTarget) !== true) this.#came_from = relatedTarget;
  };

  /** Else the keys of the dialog would go nowhere once the button that was pressed is gone. */
  #giveFocusBack(): void {
    const box = this.#box;
    if (!box?.contains(document.activeElement)) return;
    const dialog = box.closest<HTMLDialogElement>("dialog:modal");
    if (dialog === null) return;
    if (this.#came_from !== null && dialog.contains(this.#came_from)) this.#came_from.focus();
    else dialog.focus();
  }

  #dismiss(id: number): void {
    this.#giveFocusBack();
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.app.toasts.dismiss(id);
  }
}

customElements.define("fewclick-toasts", Toasts);
