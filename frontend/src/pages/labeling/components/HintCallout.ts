import { Lightbulb, X } from "lucide";
import { html, nothing } from "lit";
import { keyed } from "lit/directives/keyed.js";

import { currentHint, followed, hintsOf, type Deed, type Hint } from "../../../state/hints";
import { keyName, type Command } from "../../../state/keymap";
import type { Readable } from "../../../state/signal";
import { anotherClass } from "../../../state/only_class";
import { AppView } from "./AppView";
import { icon } from "./icon";

/**
 * The first steps, in a row of their own below the image, as high as the longest. The row goes only when another image
 * comes: until then the picture stays where it is.
 */
export class HintCallout extends AppView {
  /** No keys to speak of. */
  readonly #touch = matchMedia("(max-width: 520px), (pointer: coarse)");
  readonly #redraw = (): void => this.requestUpdate();
  #stop: (() => void) | null = null;
  /** Since the hint came that is there. */
  #labels = 0;
  #has_row = false;
  /** It was open when the last hint went. */
  #last_image_id: number | null = null;

  protected watched(): readonly Readable<unknown>[] {
    const { preferences, classes, labelling, navigator, ui } = this.app;
    return [preferences, classes, labelling.selected_class_id, navigator.opened, navigator.problem, ui.key_cursor];
  }

  protected override watchedAtLeisure(): readonly Readable<unknown>[] {
    return [this.app.predictions.shown, this.app.stats.stats];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#touch.addEventListener("change", this.#redraw);
    this.#stop = this.app.annotations.onChange(({ origin, created, deleted }) => {
      if (origin !== "LOCAL") return;
      if (deleted.length > created.length) this.did("removed");
      else this.did("labelled");
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#touch.removeEventListener("change", this.#redraw);
    this.#stop?.();
  }

  /** The person has done this: a hint that asked for it is done. */
  did(deed: Deed): void {
    const { preferences, config } = this.app;
    if (deed === "labelled") this.#labels += 1;
    const changes = followed(config.task, preferences.value, deed, this.#labels, this.app.only_class !== null);
    if (changes === null) return;
    this.#labels = 0;
    preferences.change(changes);
  }

  protected override render(): unknown {
    const { preferences, config, navigator } = this.app;
    const hint = navigator.problem.value === null ? currentHint(config.task, preferences.value, this.app.only_class !== null) : null;
    if (hint === null) return this.#farewell();
    this.#has_row = true;
    // Messages come above it.
    document.documentElement.dataset.hinted = "";
    this.#last_image_id = null;
    const all = hintsOf(config.task);
    // A new one is a new thing on the page: nothing has moved.
    return keyed(hint.id, html`<div class="hint-row" role="status" data-testid="hint" data-hint=${hint.id}>
      ${icon(Lightbulb, 16)}
      <p>${this.#text(hint)}</p>
      <span class="hint-buttons">
        <button class="button small" data-testid="hint-done" @click=${() => this.#done(hint)}>Got it</button>
        ${all.includes(hint) ? html`<span class="count">${all.indexOf(hint) + 1} of ${all.length}</span>` : nothing}
        <button class="button small ghost icon-only" data-testid="hints-away" aria-label="No more hints" title="No more hints"
          @click=${() => preferences.change({ hint_dismissed: true })}>${icon(X, 14)}</button>
      </span>
    </div>`);
  }

  /** In the place of the last hint. */
  #farewell(): unknown {
    const image_id = this.app.navigator.image?.id ?? null;
    this.#last_image_id ??= image_id;
    if (!this.#has_row || this.#last_image_id !== image_id) {
      this.#has_row = false;
      return nothing;
    }
    const where = this.#touch.matches ? "Help, above, has these hints again." : html`Help ${this.#filled("help")} has all keys, and these hints again.`;
    return html`<div class="hint-row is-last" data-testid="hint-farewell"><p>${where}</p></div>`;
  }

  #done({ id }: Hint): void {
    const { preferences } = this.app;
    preferences.change({ hints_done: [...preferences.value.hints_done, id] });
  }

  #text({ text, touch_text = text, cursor_text = text }: Hint): unknown {
    const shown = this.app.ui.key_cursor.value ? cursor_text : this.#touch.matches ? touch_text : text;
    return shown.split(/(\{[\w:-]+\})/).map((part) => (part.startsWith("{") ? this.#filled(part.slice(1, -1)) : part));
  }

  #filled(name: string): unknown {
    const { classes, labelling, keys } = this.app;
    const chosen = classes.value.find(({ id }) => id === labelling.selected_class_id.value);
    if (name === "class") return html`<strong>${chosen?.name ?? "the chosen class"}</strong>`;
    if (name === "other") return classes.value.length === 2 ? "; elsewhere it adds one of the other class" : "";
    const { only_class } = this.app;
    if (name === "only") return html`<strong>${only_class?.name}</strong>`;
    if (name === "another") return html`<strong>${only_class && anotherClass(classes.value, only_class)}</strong>`;
    const [command, state] = name.split(":") as [Command, string?];
    const key = (state === "off" ? keys.keysOf(command) : keys.keysNow(command))[0];
    return key === undefined ? "(no key)" : html`<kbd>${keyName(key)}</kbd>`;
  }
}

customElements.define("fewclick-hint", HintCallout);

declare global {
  interface HTMLElementTagNameMap {
    "fewclick-hint": HintCallout;
  }
}
