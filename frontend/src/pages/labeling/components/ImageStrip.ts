import { ChevronLeft, ChevronRight, CircleDashed, ListFilter, SkipForward, X } from "lucide";
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { filterParts, NO_FILTER } from "../../../state/image_filter";
import type { Readable } from "../../../state/signal";
import { arrivalText, REVIEW_LINE, STRATEGY_LINES } from "../../../state/arrival";
import { STRATEGIES, type Arrival, type ClassProbability, type Strategy } from "../../../state/types";
import { AppView } from "./AppView";
import "./CommentBox";
import "./JumpBox";
import { icon } from "./icon";
import { STRATEGY_NAMES } from "./text";

const MOST_THUMBNAILS = 24;
/** Of the row of thumbnails, on either side: the frame around the open one. */
const EDGE_PX = 3;
/** Beside the strategies, though the page alone knows it: what Next means is chosen in one place. */
const REVIEW = "review";

/** Below the image: previous and next, the images visited, jump, and the strategy for the next one. */
export class ImageStrip extends AppView {
  /** The strategy is being chosen with the keyboard. */
  #by_key = false;
  #was_unreachable = false;
  #came: { readonly image_id: number; readonly arrival: Arrival | null; readonly probabilities: readonly ClassProbability[] } = { image_id: 0, arrival: null, probabilities: [] };

  protected watched(): readonly Readable<unknown>[] {
    const { navigator, filter, classes, predictions, health } = this.app;
    return [health.health, filter, classes, predictions.shown, navigator.arrival, navigator.opened, navigator.visited, navigator.strategy, navigator.reviewing, navigator.loading];
  }

  protected override render(): TemplateResult {
    const { navigator } = this.app;
    return html`
      <nav class="strip" aria-label="Images">
        <button class="button" data-testid="previous" title=${this.tip("Previous", "previous")} ?disabled=${navigator.image === null}
          @click=${() => this.command("previous")}>${icon(ChevronLeft)}<span>Previous</span></button>
        <fewclick-jump-box .app=${this.app}></fewclick-jump-box>
        <div class="thumbnails-room"><div class="thumbnails" role="group" aria-label="Visited images">${this.#thumbnails()}</div></div>
        ${this.#filter()}
        ${this.#strategies()}
        <fewclick-comment-box .app=${this.app}></fewclick-comment-box>
        <button class="button" data-testid="skip" title=${this.tip("Skip: not now, or not wanted. Nobody has judged the image, and it can be labelled later. Labels on it are taken off (Next leaves them)", "skip")} @click=${() => this.command("skip")}>
          ${icon(SkipForward)}<span>Skip</span>
        </button>
        <button class="button is-worded" data-testid="undetermined" title=${this.tip("Undetermined: a person looked and nobody can tell. An answer: it counts as seen, exports name it. Labels on it are taken off", "undetermined")} aria-label="Undetermined"
          @click=${() => this.command("undetermined")}>${icon(CircleDashed)}<span>Undetermined</span></button>
        <button class="button primary" data-testid="next" title=${this.tip("Next", "next")} aria-busy=${navigator.loading.value}
          @click=${() => this.command("next")}><span>Next</span>${icon(ChevronRight)}</button>
      </nav>
    `;
  }

  protected override updated(): void {
    this.#askAgain();
    const strip = this.querySelector(".thumbnails");
    const current = strip?.querySelector(".thumbnail[aria-current=true]");
    if (!strip || !current) return;
    // Not scrollIntoView: on a small screen that would scroll the page away from the image as well.
    const [room, place] = [strip.getBoundingClientRect(), current.getBoundingClientRect()];
    const [left, right] = [room.left + EDGE_PX, room.right - EDGE_PX];
    if (place.left < left) strip.scrollLeft += place.left - left;
    else if (place.right > right) strip.scrollLeft += place.right - right;
  }

  /** The thumbnails that could not be had while the server did not answer. */
  #askAgain(): void {
    const health = this.app.health.health.value;
    const is_back = this.#was_unreachable && health !== null && health !== "unreachable";
    this.#was_unreachable = health === "unreachable";
    if (!is_back) return;
    for (const image of this.querySelectorAll<HTMLImageElement>(".thumbnail img")) {
      if (image.style.visibility !== "hidden") continue;
      image.style.visibility = "";
      // To set it starts the request anew.
      image.setAttribute("src", image.getAttribute("src") ?? "");
    }
  }

  /** Which images come next and before, where not all do. */
  #filter(): TemplateResult | typeof nothing {
    const { filter, classes, ui } = this.app;
    const text = filterParts(filter.value, classes.value).map((part) => part.text).join(", ");
    if (text === "") return nothing;
    return html`<span class="chip filter-chip" data-testid="filter-chip">
      <button class="filter-text" title="Next and Previous stay within: ${text}. Change it in the gallery (${this.app.keys.names("gallery")})" @click=${() => ui.gallery_open.set(true)}>
        ${icon(ListFilter, 14)}<span>${text}</span></button>
      <button data-testid="clear-filter-chip" aria-label="Clear the filter" title="Clear the filter" @click=${() => filter.set(NO_FILTER)}>${icon(X, 13)}</button>
    </span>`;
  }

  /** What Next means, and why the open image came. */
  #strategies(): TemplateResult {
    const { strategy, reviewing } = this.app.navigator;
    const why = this.#why();
    const line = reviewing.value ? REVIEW_LINE : STRATEGY_LINES[strategy.value];
    return html`<label class="next-by" title=${this.tip(line, "strategy")}>
      <span class="next-by-name">Next goes to</span>
      <select class="select" data-testid="strategy" aria-describedby="strategy-line" @change=${this.#chooseStrategy} @keydown=${this.#strategyKey}
        @pointerdown=${() => (this.#by_key = false)}>
        ${STRATEGIES.map(
          (one) => html`<option value=${one} title=${STRATEGY_LINES[one]} .selected=${!reviewing.value && one === strategy.value}>${STRATEGY_NAMES[one]}</option>`,
        )}
        <option value=${REVIEW} title=${REVIEW_LINE} .selected=${reviewing.value}>Review: every image</option>
      </select>
      <span class="next-by-why" data-testid="arrival" title=${why}>${why}</span>
      <span class="next-by-line" id="strategy-line">${line}</span>
    </label>`;
  }

  /** By what was predicted when it came: afterwards the head has learned from it. */
  #why(): string {
    const { navigator, classes, predictions } = this.app;
    const { image } = navigator;
    const shown = predictions.shown.value;
    const arrival = navigator.arrival.value;
    if (image === null) return "";
    if (this.#came.image_id !== image.id || this.#came.arrival !== arrival) this.#came = { image_id: image.id, arrival, probabilities: [] };
    if (this.#came.probabilities.length === 0 && shown?.image_id === image.id) this.#came = { ...this.#came, probabilities: shown.probabilities };
    return arrivalText(arrival, image, classes.value, this.#came.probabilities);
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
        <img src=${this.app.thumbnailUrl(id, 96)} alt="" width="44" height="36" decoding="async" @error=${hide} />
      </button>`,
    );
  }

  readonly #strategyKey = (event: KeyboardEvent): void => {
    this.#by_key = true;
    if (!["Enter", "Escape"].includes(event.key) || !(event.target instanceof HTMLSelectElement)) return;
    event.preventDefault();
    this.#by_key = false;
    event.target.blur();
  };

  readonly #chooseStrategy = (event: Event): void => {
    if (!(event.target instanceof HTMLSelectElement)) return;
    const { value } = event.target;
    const { navigator } = this.app;
    navigator.reviewing.set(value === REVIEW);
    if (value !== REVIEW && value !== navigator.strategy.value) void navigator.setStrategy(value as Strategy);
    // After the mouse the keyboard belongs to the image again; who chooses by keys may not be done yet.
    if (!this.#by_key) event.target.blur();
  };
}

/** Of a file that cannot be read: an empty frame is better than the browser's sign. */
function hide({ target }: Event): void {
  if (target instanceof HTMLElement) target.style.visibility = "hidden";
}

customElements.define("fewclick-image-strip", ImageStrip);
