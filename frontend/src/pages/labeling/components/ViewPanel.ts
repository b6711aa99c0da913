import { RotateCcw, X } from "lucide";
import { html, nothing, type TemplateResult } from "lit";

import { GAMMA_LIMIT, isPlain, PLAIN_LOOK, type PictureLook } from "../../../state/picture_look";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { icon } from "./icon";

type BandChoice = "session" | "one" | "three";

const CHOICES: readonly (readonly [BandChoice, string, string])[] = [
  ["session", "As is", "As the session shows it"],
  ["one", "One", "One band in grey"],
  ["three", "Three", "Three bands as red, green and blue"],
];
const COLORS = ["Red", "Green", "Blue"] as const;

/** Over the image: brightness, contrast, gamma and bands of the picture on screen. No data changes by it. */
export class ViewPanel extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { picture_view, preferences, navigator } = this.app;
    return [picture_view.panel_open, picture_view.display, picture_view.problem, preferences, navigator.opened];
  }

  protected override render(): TemplateResult | typeof nothing {
    const { picture_view, preferences } = this.app;
    if (!picture_view.panel_open.value) return nothing;
    const { look } = picture_view;
    return html`<section class="view-panel" aria-labelledby="view-panel-title" data-testid="view-panel" @keydown=${this.#leave}>
      <div class="card-head">
        <h2 id="view-panel-title">Picture</h2>
        <span class="view-panel-buttons">
          <button class="button ghost small" data-testid="view-reset" ?disabled=${isPlain(look)} title="Show the picture as it is"
            @click=${() => picture_view.reset()}>${icon(RotateCcw, 14)}<span>Reset</span></button>
          <button class="button ghost icon-only small" aria-label="Close" title=${this.tip("Close", "view-panel")}
            @click=${() => picture_view.panel_open.set(false)}>${icon(X, 16)}</button>
        </span>
      </div>
      ${this.#slider("brightness", "Brightness", look.brightness, signed, (brightness) => ({ brightness }))}
      ${this.#slider("contrast", "Contrast", look.contrast, signed, (contrast) => ({ contrast }))}
      ${this.#slider("gamma", "Gamma", Math.log(look.gamma) / Math.log(GAMMA_LIMIT), () => look.gamma.toFixed(2), (place) => ({
        gamma: place === 0 ? 1 : GAMMA_LIMIT ** place,
      }))}
      <label class="check-row" title="From the 0.5th to the 99.5th percentile of this picture's values">
        <input type="checkbox" data-testid="view-auto" .checked=${look.auto}
          @change=${(event: Event) => this.#change(event, (input) => ({ auto: input.checked }))} />
        <span>Fit the contrast to each picture</span>
      </label>
      ${this.#bands(look)} ${this.#range()}
      <label class="check-row view-panel-rule">
        <input type="checkbox" data-testid="wheel-pans" .checked=${preferences.value.wheel_pans} @change=${this.#setWheel} />
        <span>Wheel pans, Ctrl+wheel zooms</span>
      </label>
      ${picture_view.problem.value === null
        ? html`<p class="hint">Changes what you see; labels and learning stay as they are.</p>`
        : html`<p class="hint is-bad" role="alert">${picture_view.problem.value}</p>`}
    </section>`;
  }

  #slider(
    name: keyof PictureLook,
    label: string,
    value: number,
    text: (value: number) => string,
    change: (value: number) => Partial<PictureLook>,
  ): TemplateResult {
    return html`<label class="slider-row" title="Double-click: back to the middle"><span>${label}</span>
      <input type="range" min="-1" max="1" step="0.02" data-testid="view-${name}" .value=${String(value)}
        @input=${(event: Event) => this.#change(event, (input) => change(input.valueAsNumber))}
        @dblclick=${() => this.app.picture_view.change({ [name]: PLAIN_LOOK[name] })} @change=${release} />
      <output>${text(value)}</output>
    </label>`;
  }

  #bands(look: PictureLook): TemplateResult | typeof nothing {
    const count = this.app.picture_view.display.value?.bands ?? 1;
    if (count < 2 && look.bands === null) return nothing;
    const choice: BandChoice = look.bands === null ? "session" : look.bands.length === 1 ? "one" : "three";
    return html`<div class="view-panel-bands">
      <div class="view-panel-row"><span id="bands-title">Bands</span>
        <div class="segmented" role="radiogroup" aria-labelledby="bands-title">
          ${CHOICES.map(
            ([kind, name, note]) => html`<button role="radio" aria-checked=${kind === choice} title=${note} data-testid="bands-${kind}"
              ?disabled=${kind === "three" && count < 3} @click=${() => this.#choose(kind, count)}>${name}</button>`,
          )}
        </div>
      </div>
      ${look.bands === null
        ? nothing
        : html`<div class="view-panel-selects">
            ${look.bands.map((band, place) => this.#select(look.bands ?? [], band, place, Math.max(count, ...(look.bands ?? []))))}
          </div>`}
    </div>`;
  }

  #select(bands: readonly number[], band: number, place: number, count: number): TemplateResult {
    const name = bands.length === 1 ? "Band" : (COLORS[place] ?? "");
    const choose = (event: Event): void => {
      if (!(event.target instanceof HTMLSelectElement)) return;
      this.app.picture_view.change({ bands: bands.with(place, Number(event.target.value)) });
      event.target.blur();
    };
    return html`<label><span>${name}</span>
      <select class="select" data-testid="band-${place}" @change=${choose}>
        ${Array.from({ length: count }, (_, i) => html`<option value=${i + 1} ?selected=${i + 1 === band}>${i + 1}</option>`)}
      </select></label>`;
  }

  #range(): TemplateResult | typeof nothing {
    const display = this.app.picture_view.display.value;
    if (display?.deep !== true) return nothing;
    return html`<p class="hint" data-testid="view-range">Black to white: ${figure(display.black)} to ${figure(display.white)} of the
      file's values</p>`;
  }

  #choose(choice: BandChoice, count: number): void {
    const bands = { session: null, one: [1], three: count < 3 ? [1, 1, 1] : [1, 2, 3] }[choice];
    this.app.picture_view.change({ bands });
  }

  #change(event: Event, change: (input: HTMLInputElement) => Partial<PictureLook>): void {
    if (event.target instanceof HTMLInputElement) this.app.picture_view.change(change(event.target));
  }

  /** Keys in its fields are the fields': Escape must be heard here. */
  readonly #leave = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.app.picture_view.panel_open.set(false);
    this.closest("main")?.querySelector<HTMLElement>("[data-testid=view-panel-button]")?.focus();
  };

  readonly #setWheel = (event: Event): void => {
    if (event.target instanceof HTMLInputElement) this.app.preferences.change({ wheel_pans: event.target.checked });
  };
}

/** Keys mean tools again once a slider is let go. */
function release(event: Event): void {
  if (event.target instanceof HTMLElement && !event.target.matches(":focus-visible")) event.target.blur();
}

function signed(value: number): string {
  const percent = Math.round(100 * value);
  return percent > 0 ? `+${percent}` : String(percent).replace("-", "−");
}

function figure(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 5 });
}

customElements.define("fewclick-view-panel", ViewPanel);
