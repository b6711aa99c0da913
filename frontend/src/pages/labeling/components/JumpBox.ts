import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";

import { explain } from "../../../api/errors";
import type { Readable } from "../../../state/signal";
import type { ImageInfo } from "../../../state/types";
import { AppView } from "./AppView";
import { fileName } from "./text";

const MOST = 8;
const SEARCH_AFTER_MS = 120;

/** Jump to an image by id or name: what fits is listed while it is typed. */
export class JumpBox extends AppView {
  static override properties: PropertyDeclarations = {
    ...AppView.properties,
    found: { state: true },
    chosen: { state: true },
    note: { state: true },
  };
  /** null: nothing is listed. */
  declare found: readonly ImageInfo[] | null;
  /** -1: none, Enter takes the first that fits. */
  declare chosen: number;
  declare note: string;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #token = 0;

  constructor() {
    super();
    this.found = null;
    this.chosen = -1;
    this.note = "";
  }

  protected watched(): readonly Readable<unknown>[] {
    return [];
  }

  protected override render(): TemplateResult {
    const { found, chosen, note } = this;
    return html`
      <input class="input jump" data-testid="jump-to-image" type="text" inputmode="search" autocomplete="off" spellcheck="false"
        placeholder="Jump to id or name" aria-label="Jump to image by id or name" title=${this.tip("Jump", "jump")} role="combobox"
        aria-autocomplete="list" aria-controls="jump-list" aria-expanded=${found !== null}
        aria-activedescendant=${chosen >= 0 ? `jump-${chosen}` : nothing}
        @input=${this.#input} @keydown=${this.#key} @blur=${this.#close} />
      <div class="jump-list ${found === null ? "" : "is-open"}" id="jump-list" role="listbox" aria-label="Images that fit" data-testid="jump-list">
        ${(found ?? []).map((image, i) => this.#option(image, i))}
        ${found === null || note === "" ? nothing : html`<p role="status">${note}</p>`}
      </div>
    `;
  }

  #option(image: ImageInfo, i: number): TemplateResult {
    const folder = image.path.slice(0, -fileName(image.path).length);
    return html`<div role="option" id="jump-${i}" data-testid="jump-option-${image.id}" aria-selected=${i === this.chosen}
      title=${image.path} @mousedown=${this.#keepFocus} @click=${() => void this.#open(image)}>
      <img src=${this.app.thumbnailUrl(image.id, 96)} alt="" width="40" height="32" decoding="async" />
      <span class="jump-name">${fileName(image.path)}${image.comment || folder ? html`<small>${image.comment ?? folder}</small>` : nothing}</span>
      <span class="jump-id">#${image.id}</span>
    </div>`;
  }

  readonly #input = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#search(), SEARCH_AFTER_MS);
  };

  async #search(): Promise<void> {
    const token = ++this.#token;
    const text = this.#field?.value ?? "";
    if (text.trim() === "") {
      this.#close();
      return;
    }
    try {
      const found = await this.app.navigator.find(text, MOST);
      if (token !== this.#token) return;
      this.found = found;
      this.note = found.length === 0 ? "No image fits." : "";
    } catch (error) {
      if (token !== this.#token) return;
      this.found = [];
      this.note = explain(error);
    }
    this.chosen = -1;
  }

  readonly #key = (event: KeyboardEvent): void => {
    const count = this.found?.length ?? 0;
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count > 0) {
      event.preventDefault();
      // One place more than there are images: none.
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.chosen = ((this.chosen + 1 + step + count + 1) % (count + 1)) - 1;
      this.querySelector(`#jump-${this.chosen}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Escape") {
      if (this.found !== null) event.preventDefault();
      else this.#field?.blur();
      this.#close();
    } else if (event.key === "Enter") {
      const chosen = this.found?.[this.chosen];
      if (chosen) void this.#open(chosen);
      else void this.#jump();
    }
  };

  async #open(image: ImageInfo): Promise<void> {
    this.#leave(await this.app.navigator.open(image.id));
  }

  async #jump(): Promise<void> {
    this.#leave(await this.app.navigator.jump(this.#field?.value ?? ""));
  }

  #leave(found: boolean): void {
    this.#close();
    const field = this.#field;
    if (!found || !field) return;
    field.value = "";
    // The keyboard belongs to the image again.
    field.blur();
  }

  readonly #close = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#token += 1;
    this.found = null;
    this.chosen = -1;
  };

  /** A click in the list must not take the focus from the field: the list would close before the click counts. */
  readonly #keepFocus = (event: Event): void => event.preventDefault();

  get #field(): HTMLInputElement | null {
    return this.querySelector("input");
  }
}

customElements.define("fewclick-jump-box", JumpBox);
