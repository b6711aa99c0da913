import { ChevronLeft, ChevronRight, CircleDashed, SkipForward } from "lucide";
import { html, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { Readable } from "../../../state/signal";
import { STRATEGIES, type Strategy } from "../../../state/types";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { STRATEGY_NAMES } from "./text";

const MOST_THUMBNAILS = 24;
/** Beside the strategies, though the page alone knows it: what Next means is chosen in one place. */
const REVIEW = "review";

/** Below the image: previous and next, the images visited, jump, and the strategy for the next one. */
export class ImageStrip extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { navigator } = this.app;
    return [navigator.opened, navigator.visited, navigator.strategy, navigator.reviewing, navigator.loading];
  }

  protected override render(): TemplateResult {
    const { navigator } = this.app;
    return html`
      <nav class="strip" aria-label="Images">
        <button class="button" data-testid="previous" title="Previous (D or ←)" ?disabled=${navigator.image === null}
          @click=${() => this.command("previous")}>${icon(ChevronLeft)}<span>Previous</span></button>
        <input class="input jump" data-testid="jump-to-image" type="text" inputmode="search" autocomplete="off" spellcheck="false"
          placeholder="Jump to id or name" aria-label="Jump to image by id or name" title="Jump (/ or J)" @keydown=${this.#jumpKey} />
        <div class="thumbnails" role="group" aria-label="Visited images">${this.#thumbnails()}</div>
        <label class="field-inline"><span>Next by</span>
          <select class="select" data-testid="strategy" @change=${this.#chooseStrategy}>
            ${STRATEGIES.map(
              (strategy) => html`<option value=${strategy} .selected=${!navigator.reviewing.value && strategy === navigator.strategy.value}>
                ${STRATEGY_NAMES[strategy]}
              </option>`,
            )}
            <option value=${REVIEW} .selected=${navigator.reviewing.value}>Review: all, in order</option>
          </select>
        </label>
        <button class="button" data-testid="skip" title="Skip (K or X)" @click=${() => this.command("skip")}>
          ${icon(SkipForward)}<span>Skip</span>
        </button>
        <button class="button icon-only" data-testid="undetermined" title="Undetermined: nobody can tell (U)" aria-label="Undetermined"
          @click=${() => this.command("undetermined")}>${icon(CircleDashed)}</button>
        <button class="button primary" data-testid="next" title="Next (F or →)" aria-busy=${navigator.loading.value}
          @click=${() => this.command("next")}><span>Next</span>${icon(ChevronRight)}</button>
      </nav>
    `;
  }

  protected override updated(): void {
    this.querySelector(".thumbnail[aria-current=true]")?.scrollIntoView({ inline: "nearest", block: "nearest" });
  }

  #thumbnails(): unknown {
    const { navigator } = this.app;
    const open_id = navigator.image?.id;
    const ids = [...new Set(navigator.visited.value)].slice(-MOST_THUMBNAILS);
    return repeat(
      ids,
      (id) => id,
      (id) => html`<button class="thumbnail" aria-label="Image ${id}" aria-current=${id === open_id ? "true" : "false"}
        title="Image ${id}" @click=${() => void navigator.open(id)}>
        <img src=${this.app.thumbnailUrl(id, 96)} alt="" width="44" height="36" decoding="async" />
      </button>`,
    );
  }

  readonly #jumpKey = (event: KeyboardEvent): void => {
    const { target: input } = event;
    if (!(input instanceof HTMLInputElement)) return;
    if (event.key === "Escape") input.blur();
    if (event.key !== "Enter") return;
    void this.app.navigator.jump(input.value).then((found) => {
      if (!found) return;
      input.value = "";
      input.blur();
    });
  };

  readonly #chooseStrategy = (event: Event): void => {
    if (!(event.target instanceof HTMLSelectElement)) return;
    const { value } = event.target;
    const { navigator } = this.app;
    navigator.reviewing.set(value === REVIEW);
    if (value !== REVIEW && value !== navigator.strategy.value) void navigator.setStrategy(value as Strategy);
    // The keyboard belongs to the image again.
    event.target.blur();
  };
}

customElements.define("fewclick-image-strip", ImageStrip);
