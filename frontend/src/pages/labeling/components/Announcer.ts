import { html, type TemplateResult } from "lit";

import { predictionText } from "../../../state/announcements";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";

/** Clicks follow each other; what the last of them led to is worth saying. */
const SETTLED_MS = 1_500;

/** Says to assistive technology, politely, what the prediction has become. */
export class Announcer extends AppView {
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stop: (() => void) | null = null;
  #text = "";

  protected watched(): readonly Readable<unknown>[] {
    return [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stop = this.app.predictions.shown.subscribe(() => this.#saySoon());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  protected override render(): TemplateResult {
    return html`<p class="visually-hidden" role="status" aria-live="polite" data-testid="announcer">${this.#text}</p>`;
  }

  #saySoon(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#text = predictionText(this.app.classes.value, this.app.predictions.shown.value, this.app.stats.stats.value?.by_class);
      this.requestUpdate();
    }, SETTLED_MS);
  }
}

customElements.define("fewclick-announcer", Announcer);
