import { RefreshCw, Search, X } from "lucide";
import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";

import { CLASS_ROLES, filterParts, isPair, NO_FILTER, STATUS_CHOICES, statusText, type ClassRole, type GallerySort, type ImageFilter, type StatusChoice } from "../../../state/image_filter";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import { icon } from "./icon";
import { counted, grouped } from "../../../state/words";

const SEARCH_AFTER_MS = 250;
const SORT_NAMES: Readonly<Record<GallerySort, string>> = {
  id: "Id", path: "Path", predicted: "Predicted class", uncertainty: "Least confident", confidence: "Most confident", changed: "Changed last",
}; // prettier-ignore
const ROLE_NAMES: Readonly<Record<ClassRole, string>> = { shown: "label or prediction", labeled: "label", predicted: "prediction" };
/** Choices that make sense of labels of whole images only. */
const WHOLE_IMAGES: ReadonlySet<StatusChoice> = new Set<StatusChoice>(["reviewed", "accepted"]);

/** Above the gallery: what is shown of it, and in which order. */
export class GalleryFilters extends AppView {
  static override properties: PropertyDeclarations = { ...AppView.properties, metadata: { state: true } };
  declare metadata: Readonly<Record<string, readonly string[]>>;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    super();
    this.metadata = {};
  }

  protected watched(): readonly Readable<unknown>[] {
    const { gallery, stats, classes, filter, gallery_sort } = this.app;
    return [gallery.state, gallery.outdated, stats.stats, classes, filter, gallery_sort];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.app.imageMetadata().then((keys) => {
      this.metadata = keys;
    });
  }

  protected override render(): TemplateResult {
    const { gallery, filter, gallery_sort } = this.app;
    const { total, loading } = gallery.state.value;
    const { value } = filter;
    return html`
      <div class="gallery-head">
        <h2>Gallery <span class="count" data-testid="gallery-total">${total === null ? "" : counted(total, "image")}${gallery.outdated.value ? " listed before" : ""}</span></h2>
        ${gallery.outdated.value
          ? html`<button class="button small" data-testid="gallery-outdated" title="Labels or predictions have come since: list what matches now"
              @click=${() => void gallery.reload()}>${icon(RefreshCw, 15)}<span>Refresh</span></button>`
          : nothing}
        <label class="search">${icon(Search, 16)}
          <input class="input" type="search" data-testid="gallery-search" placeholder="Path, comment or id" aria-label="Search by path, comment or id"
            autocomplete="off" .value=${value.text} @input=${this.#search} @keydown=${this.#searchKey} /></label>
        <span class="spacer"></span>
        <label class="field-inline"><span>Sort</span><select class="select" data-testid="gallery-sort" @change=${this.#setSort}>
          ${Object.entries(SORT_NAMES).map(([sort, name]) => html`<option value=${sort} .selected=${sort === gallery_sort.value}>${name}</option>`)}
        </select></label>
        <button class="button ghost icon-only" data-testid="gallery-refresh" aria-busy=${loading} aria-label="Sort and filter again"
          title="Sort and filter again: the order stays as it is until then" @click=${() => void gallery.reload()}>${icon(RefreshCw)}</button>
        <button class="button ghost icon-only" data-testid="close-gallery" aria-label="Close the gallery" title="Close (${this.app.keys.names("gallery")} or Esc)"
          @click=${() => this.command("gallery")}>${icon(X)}</button>
      </div>
      <div class="gallery-filters">
        <div class="segmented" role="radiogroup" aria-label="Status">
          ${this.#choices().map((status) => html`<button role="radio" data-testid="filter-${status}" aria-checked=${status === value.status}
            title=${status === "reviewed" ? "Labelled by a person" : status === "accepted" ? "Labelled by accepting a prediction, not reviewed" : statusText(status)}
            @click=${() => this.#change({ status })}>${statusText(status)}${this.#count(status)}</button>`)}
        </div>
        ${this.#classChoice(value)} ${this.#confidence(value)} ${this.#metadata(value)}
        <span class="spacer"></span>
        ${filterParts(value, []).length > 0
          ? html`<button class="button ghost small" data-testid="clear-filter" @click=${() => filter.set(NO_FILTER)}>Clear filter</button>`
          : nothing}
      </div>
    `;
  }

  /** Escape empties the field, as browsers have it; empty, it does what it does elsewhere in the gallery. */
  readonly #searchKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.isComposing || !(event.target instanceof HTMLInputElement) || event.target.value !== "") return;
    event.preventDefault();
    this.command("escape");
  };

  #choices(): readonly StatusChoice[] {
    const any_failed = (this.app.stats.stats.value?.by_features.failed ?? 0) > 0 || this.app.filter.value.status === "failed";
    const of_whole = this.app.config.task !== "segmentation";
    return STATUS_CHOICES.filter((status) => (status !== "failed" || any_failed) && (of_whole || !WHOLE_IMAGES.has(status)));
  }

  #count(status: StatusChoice): TemplateResult | typeof nothing {
    const stats = this.app.stats.stats.value;
    if (stats === null || status === "reviewed" || status === "accepted") return nothing;
    const count = status === "all" ? stats.images : status === "failed" ? stats.by_features.failed : stats.by_status[status];
    return html` <span class="count">${grouped(count)}</span>`;
  }

  #classChoice({ class_id, class_role }: ImageFilter): TemplateResult {
    return html`<span class="filter-field">
      <select class="select" data-testid="filter-class" aria-label="Class" @change=${this.#setClass}>
        <option value="" .selected=${class_id === null}>Any class</option>
        ${this.app.classes.value.map(({ id, name }) => html`<option value=${id} .selected=${id === class_id}>${name}</option>`)}
      </select>
      ${class_id === null
        ? nothing
        : html`<select class="select" data-testid="filter-class-role" aria-label="The class is" @change=${this.#setRole}>
            ${CLASS_ROLES.map((role) => html`<option value=${role} .selected=${role === class_role}>as ${ROLE_NAMES[role]}</option>`)}
          </select>`}
    </span>`;
  }

  #confidence({ min_percent, max_percent }: ImageFilter): TemplateResult {
    const field = (name: "min_percent" | "max_percent", label: string, value: number): TemplateResult =>
      html`<input class="input percent" type="number" min="0" max="100" step="1" data-testid="filter-${name.slice(0, 3)}" aria-label=${label}
        .value=${String(value)} @change=${(event: Event) => this.#setPercent(name, event)} />`;
    return html`<span class="filter-field" role="group" aria-label="Confidence in percent"><span>Confidence</span>
      ${field("min_percent", "Least confidence, percent", min_percent)}<span>–</span>${field("max_percent", "Most confidence, percent", max_percent)}<span>%</span></span>`;
  }

  #metadata({ metadata }: ImageFilter): TemplateResult | typeof nothing {
    const pairs = Object.entries(this.metadata).flatMap(([key, values]) => values.map((value) => `${key}=${value}`));
    if (pairs.length === 0 && metadata.length === 0) return nothing;
    return html`<span class="filter-field">
      <input class="input metadata" list="metadata-pairs" data-testid="filter-metadata" placeholder="key=value" title="Metadata of the images, as key=value" aria-label="Metadata, as key=value"
        autocomplete="off" @change=${this.#addPair} />
      <datalist id="metadata-pairs">${pairs.map((pair) => html`<option value=${pair}></option>`)}</datalist>
      ${metadata.map((pair) => html`<button class="chip filter-chip" aria-label="Remove the filter ${pair}" title="Remove"
        @click=${() => this.#change({ metadata: metadata.filter((other) => other !== pair) })}>${pair} ${icon(X, 12)}</button>`)}
    </span>`;
  }

  #change(changes: Partial<ImageFilter>): void {
    this.app.filter.set({ ...this.app.filter.value, ...changes });
  }

  readonly #setClass = (event: Event): void => {
    if (event.target instanceof HTMLSelectElement) this.#change({ class_id: event.target.value === "" ? null : Number(event.target.value) });
  };

  readonly #setRole = (event: Event): void => {
    if (event.target instanceof HTMLSelectElement) this.#change({ class_role: event.target.value as ClassRole });
  };

  readonly #setSort = (event: Event): void => {
    if (event.target instanceof HTMLSelectElement) this.app.gallery_sort.set(event.target.value as GallerySort);
  };

  #setPercent(name: "min_percent" | "max_percent", event: Event): void {
    if (!(event.target instanceof HTMLInputElement)) return;
    const wanted = Math.min(Math.max(Math.round(event.target.valueAsNumber || 0), 0), 100);
    const { min_percent, max_percent } = this.app.filter.value;
    // The other end gives way: a range that holds nothing helps nobody.
    if (name === "min_percent") this.#change({ min_percent: wanted, max_percent: Math.max(max_percent, wanted) });
    else this.#change({ max_percent: wanted, min_percent: Math.min(min_percent, wanted) });
    event.target.value = String(wanted);
  }

  readonly #addPair = (event: Event): void => {
    if (!(event.target instanceof HTMLInputElement)) return;
    const pair = event.target.value.trim();
    const { metadata } = this.app.filter.value;
    if (!isPair(pair)) {
      if (pair !== "") this.app.toasts.show("info", "Metadata are filtered as key=value, for example site=north.");
      return;
    }
    event.target.value = "";
    if (!metadata.includes(pair)) this.#change({ metadata: [...metadata, pair] });
  };

  readonly #search = (event: Event): void => {
    if (!(event.target instanceof HTMLInputElement)) return;
    const text = event.target.value.trim().slice(0, 200);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#change({ text }), SEARCH_AFTER_MS);
  };
}

customElements.define("fewclick-gallery-filters", GalleryFilters);
