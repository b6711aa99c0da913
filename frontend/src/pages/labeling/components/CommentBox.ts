import { MessageSquare, MessageSquareText } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import type { Readable } from "../../../state/signal";
import { LONGEST_COMMENT } from "../../../sync/commenting";
import { AppView } from "./AppView";
import { icon } from "./icon";

const SAVE_AFTER_MS = 400;

/** A note on the open image, and the button that says whether there is one. */
export class CommentBox extends AppView {
  /** Typed, and not handed on yet. */
  #typed: { readonly image_id: number; readonly text: string } | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #was_open = false;
  #shown_id: number | null = null;

  protected watched(): readonly Readable<unknown>[] {
    const { navigator, ui, commenting } = this.app;
    return [navigator.opened, ui.comment_open, commenting.saves.status];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("pagehide", this.#save);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("pagehide", this.#save);
    this.#save();
  }

  protected override render(): TemplateResult {
    const { commenting, navigator, ui } = this.app;
    const open = ui.comment_open.value && navigator.image !== null;
    const { text } = commenting;
    const tip = this.tip(text === "" ? "Comment on this image" : `Comment: ${text}`, "comment");
    return html`
      <button class="button is-worded ${text === "" ? "" : "is-marked"}" data-testid="comment" title=${tip} aria-label=${text === "" ? "Comment" : "Comment: there is one"}
        aria-expanded=${open} ?disabled=${navigator.image === null} @click=${() => this.command("comment")}>
        ${icon(text === "" ? MessageSquare : MessageSquareText)}<span>Comment</span></button>
      ${open ? this.#panel() : nothing}
    `;
  }

  #panel(): TemplateResult {
    return html`<div class="comment-panel" role="dialog" aria-label="Comment on image ${this.app.navigator.image?.id}">
      <textarea class="input" data-testid="comment-text" rows="4" maxlength=${LONGEST_COMMENT} spellcheck="true" aria-label="Comment"
        placeholder="What should others know about this image?" @input=${this.#input} @blur=${this.#save} @keydown=${this.#key}></textarea>
      <p>Saves itself. The gallery shows it and finds it by search; exports have it. <kbd>Esc</kbd> closes.</p>
    </div>`;
  }

  protected override updated(): void {
    const image_id = this.app.navigator.image?.id ?? null;
    const field = this.querySelector("textarea");
    if (image_id !== this.#shown_id) this.#save();
    const is_typing = this.#typed !== null && this.#typed.image_id === image_id;
    if (field && !is_typing && (image_id !== this.#shown_id || field !== document.activeElement || !this.#was_open)) {
      field.value = this.app.commenting.text;
    }
    if (field && !this.#was_open) field.focus();
    this.#was_open = field !== null;
    this.#shown_id = image_id;
  }

  readonly #input = (event: Event): void => {
    const image_id = this.app.navigator.image?.id;
    if (!(event.target instanceof HTMLTextAreaElement) || image_id === undefined) return;
    this.#typed = { image_id, text: event.target.value };
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#save, SAVE_AFTER_MS);
  };

  readonly #save = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const typed = this.#typed;
    this.#typed = null;
    if (typed !== null) this.app.commenting.write(typed.image_id, typed.text);
  };

  readonly #key = (event: KeyboardEvent): void => {
    const closes = event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey));
    if (!closes) return;
    event.preventDefault();
    event.stopPropagation();
    this.#save();
    this.app.ui.comment_open.set(false);
    this.querySelector("button")?.focus({ preventScroll: true });
  };
}

customElements.define("fewclick-comment-box", CommentBox);
