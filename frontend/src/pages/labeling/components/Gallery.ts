import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { Command } from "../../../state/keymap";
import {
  clickMode, MOST_SELECTED, moved, moveOf, NOTHING_SELECTED, only, placeAfter, rangeTo, toggled, withRange, type ClickMode, type Move, type Selection,
} from "../../../state/selection"; // prettier-ignore
import { NO_FILTER } from "../../../state/image_filter";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import "./GalleryFilters";
import { bulkBar, GalleryActions } from "./gallery_actions";
import { RubberBand } from "./rubber_band";
import { emptyTile, tile, TilePicture } from "./gallery_tile";

const TILE_WIDTH_PX = 176;
const TILE_HEIGHT_PX = 184;
const GAP_PX = 12;
const PADDING_PX = 20;
const ROW_PX = TILE_HEIGHT_PX + GAP_PX;
/** Rows kept ready above and below those in sight. */
const SPARE_ROWS = 2;
/** New tiles that one frame draws; the others are drawn in the next ones. */
const TILES_A_FRAME = 8;
/** Whoever scrolls further in a frame sees no pictures, and much further no tiles: those come where the scrolling ends. */
const QUICK_PX = 90;
const RUSH_ROWS = 3;
const RUSH_OVER_MS = 90;

/** All images as tiles, of which only those in sight are in the document; many are selected and labelled at once. */
export class Gallery extends AppView {
  static override properties: PropertyDeclarations = {
    ...AppView.properties,
    selection: { state: true },
    first_row: { state: true },
    columns: { state: true },
    rows: { state: true },
  };
  declare selection: Selection;
  declare first_row: number;
  declare columns: number;
  declare rows: number;
  readonly #observer = new ResizeObserver(() => this.#measure());
  readonly #actions = new GalleryActions(() => this.app, () => this.selection);
  readonly #band = new RubberBand({
    scroller: () => this.#scroller(),
    shape: () => ({ columns: this.columns, total: this.#total, step_x: this.#tileWidth() + GAP_PX, step_y: ROW_PX, gap: GAP_PX }),
    padding: PADDING_PX,
    selected: (places, added) => this.#selectPlaces(places, added),
    begin: () => this.selection,
  });

  constructor() {
    super();
    this.selection = NOTHING_SELECTED;
    this.first_row = 0;
    this.columns = 5;
    this.rows = 5;
  }

  protected watched(): readonly Readable<unknown>[] {
    const { gallery, classes, filter, gallery_sort, bulk, navigator } = this.app;
    return [gallery.state, classes, filter, gallery_sort, bulk.busy, navigator.opened];
  }

  get #total(): number {
    return this.app.gallery.state.value.total ?? 0;
  }

  /** Labels of whole images can be given to many; points cannot. */
  get #selects(): boolean {
    return this.app.config.task !== "segmentation";
  }

  #stop_filter: (() => void)[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    const { filter, gallery_sort, gallery } = this.app;
    this.#stop_filter = [filter, gallery_sort].map((signal) => signal.subscribe(() => this.#toStart()));
    void gallery.reload();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
    this.#band.stop();
    cancelAnimationFrame(this.#frame);
    if (this.#rush_timer !== null) clearTimeout(this.#rush_timer);
    this.#rush_timer = null;
    for (const stop of this.#stop_filter.splice(0)) stop();
  }

  protected override firstUpdated(): void {
    const scroller = this.#scroller();
    if (!scroller) return;
    this.#observer.observe(scroller);
    scroller.focus({ preventScroll: true });
    if (this.#selects) this.#band.listen();
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    this.#drawn = this.#drawing;
    if (this.#rush_timer !== null) return;
    this.#drawRest();
    const [first, last] = this.#inSight();
    this.app.gallery.need(first, last);
  }

  protected override render(): TemplateResult {
    const { place } = this.selection;
    return html`<section class="gallery ${this.#selects ? "" : "is-plain"}" data-testid="gallery-panel" aria-label="Gallery">
      <fewclick-gallery-filters .app=${this.app}></fewclick-gallery-filters>
      <div class="gallery-scroller ${place === null ? "" : "has-place"}" role="listbox" tabindex="0" aria-label="Images" aria-multiselectable=${this.#selects}
        aria-activedescendant=${place === null ? nothing : `tile-${place}`} data-testid="gallery-grid" @scroll=${this.#scrolled}
        @click=${this.#clicked} @dblclick=${this.#doubleClicked} @keydown=${this.#keyDown}>${this.#body()}</div>
      ${this.#selects ? bulkBar(this.app, this.#actions, this.selection.ids, () => (this.selection = NOTHING_SELECTED)) : nothing}
    </section>`;
  }

  #body(): TemplateResult {
    const { error, total } = this.app.gallery.state.value;
    if (error !== null) return this.#note(error, html`<button class="button" @click=${() => void this.app.gallery.reload()}>Try again</button>`);
    if (total === null) return this.#note("Loading…");
    if (total === 0) {
      return this.#note("No image matches.", html`<button class="button" @click=${() => this.app.filter.set(NO_FILTER)}>Clear the filter</button>`);
    }
    const [first, last] = this.#inSight();
    this.#left_this_frame = TILES_A_FRAME;
    this.#drawing = new Set();
    const places = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
    return html`<div class="gallery-space" role="presentation" style="height: ${Math.ceil(total / this.columns) * ROW_PX - GAP_PX}px">
      <div class="gallery-grid" role="presentation" style="transform: translateY(${Math.floor(first / this.columns) * ROW_PX}px); --columns: ${this.columns}">
        ${repeat(places, (place) => this.app.gallery.idAt(place) ?? -place - 1, (place) => this.#tile(place, total))}
      </div>
      <div class="rubber-band" hidden></div>
    </div>`;
  }

  #tile(place: number, total: number): TemplateResult {
    const { gallery } = this.app;
    const id = gallery.idAt(place);
    if (id === null || !this.#mayDraw(id)) return emptyTile();
    const { ids, place: focused } = this.selection;
    return tile(this.app, id, gallery.image(id), { place, total, selected: ids.has(id), focused: focused === place });
  }

  /** Tiles that are in the document with all that is on them. */
  #drawn = new Set<number>();
  #drawing = new Set<number>();
  #left_this_frame = 0;
  #rush_timer: ReturnType<typeof setTimeout> | null = null;
  #frame = 0;
  #scroll_top = 0;

  #mayDraw(id: number): boolean {
    if (!this.#drawn.has(id)) {
      if (this.#rush_timer !== null || this.#left_this_frame === 0) return false;
      this.#left_this_frame -= 1;
    }
    this.#drawing.add(id);
    return true;
  }

  #drawRest(): void {
    if (this.#left_this_frame > 0 || this.#rush_timer !== null || this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.requestUpdate();
    });
  }

  #note(text: string, more: TemplateResult | typeof nothing = nothing): TemplateResult {
    return html`<div class="empty" role="option" aria-selected="false"><p>${text}</p>${more}</div>`;
  }

  /** Keys of the page, while the gallery is open. False: not one of the gallery's. */
  run(command: Command): boolean {
    return this.#actions.run(command, () => this.#openFocused(), () => this.#escape());
  }

  chooseClass(class_id: number): void {
    void this.#actions.choose(class_id);
  }

  #escape(): boolean {
    if (this.selection.ids.size === 0) return false;
    this.selection = { ...NOTHING_SELECTED, place: this.selection.place };
    return true;
  }

  #openFocused(): void {
    const { place } = this.selection;
    const id = place === null ? null : this.app.gallery.idAt(place);
    if (id !== null) this.#open(id);
  }

  #open(image_id: number): void {
    void this.app.navigator.open(image_id).then((opened) => {
      if (opened) this.app.ui.gallery_open.set(false);
    });
  }

  readonly #clicked = (event: MouseEvent): void => {
    const place = placeOf(event.target);
    if (place === null || this.#band.justEnded) return;
    const id = this.app.gallery.idAt(place);
    if (id === null) return;
    if (!this.#selects) {
      this.#open(id);
      return;
    }
    const on_check = event.target instanceof Element && event.target.closest("[data-check]") !== null;
    void this.#select(id, place, on_check && !event.shiftKey ? "toggle" : clickMode(event));
  };

  readonly #doubleClicked = (event: MouseEvent): void => {
    const place = placeOf(event.target);
    const id = place === null ? null : this.app.gallery.idAt(place);
    if (id !== null && this.#selects) this.#open(id);
  };

  async #select(id: number, place: number, mode: ClickMode, added = false): Promise<void> {
    if (mode === "only") this.selection = only(this.selection, id, place);
    else if (mode === "toggle") this.selection = toggled(this.selection, id, place);
    else {
      const [first, last] = rangeTo(this.selection, place);
      const end = Math.min(last, first + MOST_SELECTED - 1);
      if (end < last) this.#tellMost(last - first + 1);
      this.selection = withRange(this.selection, await this.app.gallery.idsIn(first, end), place, added);
    }
  }

  #selectPlaces(places: readonly number[], before: Selection): void {
    const ids = places.map((place) => this.app.gallery.idAt(place)).filter((id) => id !== null);
    this.selection = { ...withRange(before, ids, before.place ?? 0, true), anchor: places[0] ?? before.anchor };
  }

  async #selectAll(): Promise<void> {
    const total = this.#total;
    if (total > MOST_SELECTED) this.#tellMost(total);
    const ids = await this.app.gallery.idsIn(0, Math.min(total, MOST_SELECTED) - 1);
    this.selection = withRange(this.selection, ids, this.selection.place ?? 0, false);
  }

  #tellMost(wanted: number): void {
    this.app.toasts.show("info", `${MOST_SELECTED.toLocaleString("en")} of ${wanted.toLocaleString("en")} images are selected: one change takes no more.`);
  }

  readonly #keyDown = (event: KeyboardEvent): void => {
    const move = moveOf(event.key);
    const with_ctrl = event.ctrlKey || event.metaKey;
    if (move !== null && !event.altKey) this.#move(event, move, with_ctrl);
    else if (event.key === " " && this.#selects) {
      event.preventDefault();
      const place = this.selection.place ?? 0;
      const id = this.app.gallery.idAt(place);
      if (id !== null) void this.#select(id, place, event.shiftKey ? "range" : "toggle", true);
    } else if (event.key.toLowerCase() === "a" && with_ctrl && this.#selects) {
      event.preventDefault();
      void this.#selectAll();
    } else if (event.key === "Enter" && !this.#selects) {
      event.preventDefault();
      this.#openFocused();
    }
  };

  /** Arrows move; with Shift they select on the way; alone they leave the selection as it is. */
  #move(event: KeyboardEvent, move: Move, with_ctrl: boolean): void {
    event.preventDefault();
    const place = placeAfter(this.selection.place, move, this.columns, this.rows - 1, this.#total);
    if (event.shiftKey && this.#selects) void this.#extendTo(place, with_ctrl);
    else this.selection = moved(this.selection, place, false);
    this.#bringIntoSight(place);
  }

  async #extendTo(place: number, added: boolean): Promise<void> {
    this.selection = moved(this.selection, place, true);
    await this.#select(0, place, "range", added);
  }

  #bringIntoSight(place: number): void {
    const scroller = this.#scroller();
    if (!scroller) return;
    const top = PADDING_PX + Math.floor(place / this.columns) * ROW_PX;
    if (top < scroller.scrollTop) scroller.scrollTop = top - GAP_PX;
    const bottom = top + TILE_HEIGHT_PX + GAP_PX;
    if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
  }

  #toStart(): void {
    this.first_row = 0;
    this.selection = NOTHING_SELECTED;
    const scroller = this.#scroller();
    if (scroller) scroller.scrollTop = 0;
  }

  readonly #scrolled = (): void => {
    const top = this.#scroller()?.scrollTop ?? 0;
    if (Math.abs(top - this.#scroll_top) > QUICK_PX) TilePicture.wait();
    this.#scroll_top = top;
    const row = Math.floor(top / ROW_PX);
    const is_rush = Math.abs(row - this.first_row) >= RUSH_ROWS;
    if (is_rush || this.#rush_timer !== null) this.#rush();
    this.first_row = row;
  };

  #rush(): void {
    if (this.#rush_timer !== null) clearTimeout(this.#rush_timer);
    this.#rush_timer = setTimeout(() => {
      this.#rush_timer = null;
      this.requestUpdate();
    }, RUSH_OVER_MS);
  }

  #inSight(): readonly [number, number] {
    const first = Math.max(0, this.first_row - SPARE_ROWS) * this.columns;
    const last = (this.first_row + this.rows + SPARE_ROWS) * this.columns - 1;
    return [first, Math.min(last, this.#total - 1)];
  }

  #measure(): void {
    const { clientHeight } = this.#scroller() ?? this;
    this.columns = Math.max(1, Math.floor((this.#innerWidth() + GAP_PX) / (TILE_WIDTH_PX + GAP_PX)));
    this.rows = Math.ceil(clientHeight / ROW_PX) + 1;
  }

  #innerWidth(): number {
    return (this.#scroller() ?? this).clientWidth - 2 * PADDING_PX;
  }

  #tileWidth(): number {
    return (this.#innerWidth() - (this.columns - 1) * GAP_PX) / this.columns;
  }

  #scroller(): HTMLElement | null {
    return this.querySelector<HTMLElement>(".gallery-scroller");
  }
}

/** The place in the list of the tile that was hit. */
function placeOf(target: EventTarget | null): number | null {
  const found = target instanceof Element ? target.closest<HTMLElement>("[data-place]") : null;
  return found === null ? null : Number(found.dataset.place);
}

customElements.define("fewclick-gallery", Gallery);
