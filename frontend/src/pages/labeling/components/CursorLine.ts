import { Keyboard } from "lucide";
import { html, type TemplateResult } from "lit";

import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { icon } from "./icon";

/** At the lower edge of the image, and said politely: where the keyboard's cursor is, what is there, what was done. */
export class CursorLine extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    return [this.app.ui.cursor_said, this.app.ui.key_cursor];
  }

  protected override render(): TemplateResult {
    const { cursor_said, key_cursor } = this.app.ui;
    // Always there: a live region that comes with its first words is not heard.
    return html`<div class="cursor-line ${key_cursor.value && cursor_said.value !== "" ? "" : "is-empty"}">
      ${icon(Keyboard, 16)}<p role="status" aria-live="polite" data-testid="cursor-said">${cursor_said.value}</p>
    </div>`;
  }
}

customElements.define("fewclick-cursor-line", CursorLine);
