import { Search, X } from "lucide";
import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { Readable } from "../../../state/signal";
import type { ImageInfo, ImageStatus } from "../../../state/types";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { fileName, percent } from "./text";

const TILE_WIDTH_PX = 176;
const TILE_HEIGHT_PX = 184;
const GAP_PX = 12;
/** Rows kept ready above and below those in sight. */
const SPARE_ROWS = 3;
const SEARCH_AFTER_MS = 200;

type Filter = ImageStatus | "all" | "failed";
type Sort = "id" | "path" | "uncertainty";

const FILTERS: readonly (readonly [Filter, string])[] = [
  ["all", "All"],
  ["unlabeled", "Unlabelled"],
  ["labeled", "Labelled"],
  ["skipped", "Skipped"],
  ["undetermined", "Undetermined"],
];
/** Offered where there are any. */
const FAILED = ["failed", "Failed"] as const;

/** All images as tiles; only those in sight are in the document, further pages load on the way down. */
export class Gallery extends AppView {
  static override properties: PropertyDeclarations = {
    ...AppView.properties,
    filter: { state: true },
    sort: { state: true },
    first_row: { state: true },
    columns: { state: true },
    rows: { state: true },
  };
  declare filter: Filter;
  declare sort: Sort;
  declare first_row: number;
  declare columns: number;
  declare rows: number;
  #text = "";
  #search_timer: ReturnType<typeof setTimeout> | null = null;
  readonly #observer = new ResizeObserver(() => this.#measure());

  constructor() {
    super();
    this.filter = "all";
    this.sort = "id";
    this.first_row = 0;
    this.columns = 5;
    this.rows = 5;
  }

  protected watched(): readonly Readable<unknown>[] {
    return [this.app.gallery.state, this.app.stats.stats, this.app.classes];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#reload();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
  }

  protected override firstUpdated(): void {
    const scroller = this.#scroller();
    if (scroller) this.#observer.observe(scroller);
    this.querySelector<HTMLElement>("[data-testid=close-gallery]")?.focus({ preventScroll: true });
  }

  protected override updated(): void {
    const { items } = this.app.gallery.state.value;
    if ((this.first_row + this.rows + 2 * SPARE_ROWS) * this.columns > items.length) void this.app.gallery.more();
  }

  protected override render(): TemplateResult {
    const { total, loading } = this.app.gallery.state.value;
    return html`<section class="gallery" data-testid="gallery-panel" aria-label="Gallery">
      <div class="gallery-head">
        <h2>Gallery <span class="count">${loading && total === 0 ? "" : `${total} images`}</span></h2>
        <div class="segmented" role="radiogroup" aria-label="Status">
          ${this.#filters().map(([filter, name]) => html`<button role="radio" data-testid="filter-${filter}" aria-checked=${filter === this.filter}
            @click=${() => this.#setFilter(filter)}>${name} <span class="count">${this.#count(filter)}</span></button>`)}
        </div>
        <span class="spacer"></span>
        <label class="search">${icon(Search, 16)}
          <input class="input" type="search" data-testid="gallery-search" placeholder="Path or id" aria-label="Search by path or id"
            autocomplete="off" @input=${this.#search} /></label>
        <label class="field-inline"><span>Sort</span><select class="select" data-testid="gallery-sort" @change=${this.#setSort}>
          <option value="id">Id</option><option value="path">Path</option><option value="uncertainty">Least confident first</option>
        </select></label>
        <button class="button ghost icon-only" data-testid="close-gallery" aria-label="Close the gallery" title="Close (Esc)"
          @click=${() => this.command("gallery")}>${icon(X)}</button>
      </div>
      <div class="gallery-scroller" tabindex="-1" @scroll=${this.#scrolled}>${this.#body()}</div>
    </section>`;
  }

  #body(): TemplateResult {
    const { items, error, loading, next_cursor } = this.app.gallery.state.value;
    if (error !== null) return this.#note(error, html`<button class="button" @click=${() => this.#reload()}>Try again</button>`);
    if (items.length === 0) return this.#note(loading ? "Loading…" : "No image matches.");
    const row_count = Math.ceil(items.length / this.columns) + (next_cursor === null ? 0 : 1);
    const from = Math.max(0, this.first_row - SPARE_ROWS);
    const visible = items.slice(from * this.columns, (this.first_row + this.rows + SPARE_ROWS) * this.columns);
    const row_height = TILE_HEIGHT_PX + GAP_PX;
    return html`<div class="gallery-space" style="height: ${row_count * row_height}px">
      <div class="gallery-grid" style="transform: translateY(${from * row_height}px); --columns: ${this.columns}">
        ${repeat(visible, ({ id }) => id, (image) => this.#tile(image))}
      </div>
    </div>`;
  }

  #note(text: string, more: TemplateResult | typeof nothing = nothing): TemplateResult {
    return html`<div class="empty"><p>${text}</p>${more}</div>`;
  }

  #tile(image: ImageInfo): TemplateResult {
    const current = this.app.navigator.image?.id === image.id;
    return html`<button class="tile is-${image.status} ${image.features === "failed" ? "is-failed" : ""}" data-testid="gallery-item-${image.id}"
      aria-current=${current ? "true" : "false"} title=${image.failure ?? image.path} @click=${() => this.#open(image.id)}>
      <span class="tile-picture">
        ${image.features === "failed"
          ? html`<span class="tile-failure">${image.failure ?? "Could not be read"}</span>`
          : html`<img src=${this.app.thumbnailUrl(image.id, 256)} alt="" loading="lazy" decoding="async" />`}
        ${this.#chip(image)}
      </span>
      <span class="tile-caption"><span class="tile-name">${fileName(image.path)}</span><span class="tile-id">#${image.id}</span></span>
      <span class="tile-status">${this.#status(image)}</span>
    </button>`;
  }

  #chip(image: ImageInfo): TemplateResult | typeof nothing {
    if (image.class_ids !== null) return this.#classChips(image.class_ids);
    const labelled = image.class_id !== null;
    const class_id = image.class_id ?? (this.app.config.task === "classification" ? image.predicted_class_id : null);
    const label_class = this.app.classes.value.find(({ id }) => id === class_id);
    if (!label_class) return nothing;
    return html`<span class="tile-chip ${labelled ? "is-label" : ""}" style="--class-color: ${label_class.color}">
      <span class="swatch"></span>${label_class.name}</span>`;
  }

  #classChips(class_ids: readonly number[]): TemplateResult | typeof nothing {
    const held = this.app.classes.value.filter(({ id }) => class_ids.includes(id));
    const [first] = held;
    if (!first) return nothing;
    return html`<span class="tile-chip is-label" style="--class-color: ${first.color}" title=${held.map(({ name }) => name).join(", ")}>
      <span class="swatch"></span>${first.name}${held.length > 1 ? ` +${held.length - 1}` : ""}</span>`;
  }

  #status(image: ImageInfo): string {
    if (image.features === "failed") return "Failed";
    if (image.status === "skipped") return "Skipped";
    if (image.status === "undetermined") return "Undetermined";
    if (image.status === "labeled") {
      if (image.class_ids?.length === 0) return "Labelled · none";
      return this.app.config.task === "segmentation" ? `Labelled · ${image.point_count} points` : "Labelled";
    }
    if (image.features === "pending") return "Being prepared";
    return image.uncertainty === null ? "Unlabelled" : `Unlabelled · ${percent(1 - image.uncertainty)} sure`;
  }

  #count(filter: Filter): string {
    const stats = this.app.stats.stats.value;
    if (stats === null) return "";
    if (filter === "failed") return String(stats.by_features.failed);
    return String(filter === "all" ? stats.images : stats.by_status[filter]);
  }

  #filters(): readonly (readonly [Filter, string])[] {
    const any_failed = (this.app.stats.stats.value?.by_features.failed ?? 0) > 0;
    return any_failed || this.filter === "failed" ? [...FILTERS, FAILED] : FILTERS;
  }

  #open(image_id: number): void {
    void this.app.navigator.open(image_id).then((opened) => {
      if (opened) this.app.ui.gallery_open.set(false);
    });
  }

  #setFilter(filter: Filter): void {
    this.filter = filter;
    this.#reload();
  }

  readonly #setSort = (event: Event): void => {
    if (!(event.target instanceof HTMLSelectElement)) return;
    this.sort = event.target.value as Sort;
    this.#reload();
  };

  readonly #search = (event: Event): void => {
    if (!(event.target instanceof HTMLInputElement)) return;
    this.#text = event.target.value.trim();
    if (this.#search_timer !== null) clearTimeout(this.#search_timer);
    this.#search_timer = setTimeout(() => this.#reload(), SEARCH_AFTER_MS);
  };

  #reload(): void {
    this.first_row = 0;
    const scroller = this.#scroller();
    if (scroller) scroller.scrollTop = 0;
    void this.app.gallery.show({ ...wanted(this.filter), ...(this.#text ? { q: this.#text } : {}), sort: this.sort });
  }

  readonly #scrolled = (): void => {
    this.first_row = Math.floor((this.#scroller()?.scrollTop ?? 0) / (TILE_HEIGHT_PX + GAP_PX));
  };

  #measure(): void {
    const { clientWidth, clientHeight } = this.#scroller() ?? this;
    const padding = 40;
    this.columns = Math.max(1, Math.floor((clientWidth - padding + GAP_PX) / (TILE_WIDTH_PX + GAP_PX)));
    this.rows = Math.ceil(clientHeight / (TILE_HEIGHT_PX + GAP_PX)) + 1;
  }

  #scroller(): HTMLElement | null {
    return this.querySelector<HTMLElement>(".gallery-scroller");
  }
}

function wanted(filter: Filter): { status?: ImageStatus; features?: "failed" } {
  if (filter === "all") return {};
  return filter === "failed" ? { features: "failed" } : { status: filter };
}

customElements.define("fewclick-gallery", Gallery);
