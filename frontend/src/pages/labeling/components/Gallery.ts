import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";

import type { Command } from "../../../state/keymap";
import { clickMode, moveOf, NOTHING_SELECTED, type Selection } from "../../../state/selection";
import { NO_FILTER } from "../../../state/image_filter";
import type { Readable } from "../../../state/signal";
import { AppView } from "./AppView";
import "./GalleryFilters";
import { bulkBar, GalleryActions } from "./gallery_actions";
import { GalleryDrawing } from "./gallery_drawing";
import { GAP_PX, gridFor, leftTop, lengthOf, PADDING_PX, placesAt, placesOfSlots, ROW_PX, sameGrid, scrollTo, type Grid } from "./gallery_layout";
import { GallerySelecting } from "./gallery_selecting";
import { RubberBand } from "./rubber_band";
import { tile } from "./gallery_tile";

/** All images as tiles, of which only those in sight are in the document; many are selected and labelled at once. */
export class Gallery extends AppView {
  static override properties: PropertyDeclarations = {
    ...AppView.properties,
    selection: { state: true },
    first_row: { state: true },
    grid: { state: true, hasChanged: (now: Grid, before?: Grid) => before === undefined || !sameGrid(now, before) },
  };
  declare selection: Selection;
  declare first_row: number;
  declare grid: Grid;
  readonly #observer = new ResizeObserver(() => this.#measure());
  readonly #actions = new GalleryActions(() => this.app, () => this.selection, (selection) => (this.selection = selection));
  readonly #drawing = new GalleryDrawing(() => this.requestUpdate());
  readonly #selecting = new GallerySelecting({
    app: () => this.app,
    get: () => this.selection,
    set: (selection) => (this.selection = selection),
    grid: () => this.grid,
    bringIntoSight: (place) => this.#bringIntoSight(place),
    selects: () => this.#selects,
  });
  readonly #band = new RubberBand({
    scroller: () => this.#scroller(),
    shape: () => ({ columns: this.grid.columns, total: this.#total, step_x: this.grid.tile_width + GAP_PX, step_y: ROW_PX, gap: GAP_PX }),
    padding: PADDING_PX,
    selected: (places, added) => this.#selecting.places(places, added),
    begin: () => this.selection,
  });
  #stop_filter: (() => void)[] = [];

  constructor() {
    super();
    this.selection = NOTHING_SELECTED;
    this.first_row = 0;
    this.grid = gridFor(innerWidth, innerHeight);
  }

  protected watched(): readonly Readable<unknown>[] {
    const { gallery, acceptable, classes, filter, gallery_sort, bulk, navigator } = this.app;
    return [gallery.state, gallery.listed, acceptable.total, classes, filter, gallery_sort, bulk.busy, navigator.opened];
  }

  get #total(): number {
    return this.app.gallery.state.value.total ?? 0;
  }

  get #selects(): boolean {
    return this.app.config.task !== "segmentation";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const { filter, gallery_sort, gallery, bulk } = this.app;
    this.#stop_filter = [filter, gallery_sort].map((signal) => signal.subscribe(() => this.#toStart()));
    this.#stop_filter.push(this.#actions.onQuestion(() => this.requestUpdate()));
    this.#stop_filter.push(bulk.reselected.subscribe(({ ids, selects }) => this.#actions.reselect(ids, selects)));
    void gallery.reload();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
    this.#band.stop();
    this.#drawing.stop();
    for (const stop of this.#stop_filter.splice(0)) stop();
  }

  protected override firstUpdated(): void {
    const scroller = this.#scroller();
    if (!scroller) return;
    this.#observer.observe(scroller);
    scroller.focus({ preventScroll: true });
    if (this.#selects) this.#band.listen();
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    if (changed.has("selection")) this.#actions.selectionChanged();
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    this.#drawing.end();
    if (this.#drawing.is_rushing) return;
    // Elements keep their order while what they show changes; who listens hears the images in theirs.
    this.#scroller()?.setAttribute("aria-owns", this.#drawing.places.map((place) => `tile-${place}`).join(" "));
    this.app.gallery.need(...this.#places());
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
    this.#drawing.begin();
    if (error !== null) return this.#note(`The images could not be listed: ${error}`, html`<button class="button" @click=${() => void this.app.gallery.reload()}>Try again</button>`);
    if (total === null) return this.#note("Loading…");
    if (total === 0) {
      return this.#note("No image matches.", html`<button class="button" @click=${() => this.app.filter.set(NO_FILTER)}>Clear filter</button>`);
    }
    const slots = placesOfSlots(this.#places(), this.grid);
    return html`<div class="gallery-grid" role="presentation" style="height: ${lengthOf(total, this.grid)}px; --tile-width: ${this.grid.tile_width}px">
      ${slots.map((place) => (place === null ? nothing : this.#tile(place, total)))}
      <div class="rubber-band" hidden></div>
    </div>`;
  }

  #tile(place: number, total: number): TemplateResult {
    const { gallery } = this.app;
    const found = gallery.idAt(place);
    const id = found !== null && this.#drawing.mayDraw(place, found) ? found : null;
    const { ids, place: focused } = this.selection;
    return tile(this.app, {
      place, total, id, image: id === null ? null : gallery.image(id), at: leftTop(place, this.grid),
      selected: id !== null && ids.has(id), focused: focused === place,
    }); // prettier-ignore
  }

  #note(text: string, more: TemplateResult | typeof nothing = nothing): TemplateResult {
    return html`<div class="empty" role="option" aria-selected="false"><p>${text}</p>${more}</div>`;
  }

  /** Keys of the page, while the gallery is open. False: not one of the gallery's. */
  run(command: Command): boolean {
    return this.#actions.run(command, () => this.#openAt(this.selection.place), () => this.#selecting.escape());
  }

  chooseClass(class_id: number): void {
    void this.#actions.choose(class_id);
  }

  #openAt(place: number | null): void {
    const id = place === null ? null : this.app.gallery.idAt(place);
    if (id === null) return;
    void this.app.navigator.open(id).then((opened) => {
      if (opened) this.app.ui.gallery_open.set(false);
    });
  }

  readonly #clicked = (event: MouseEvent): void => {
    const place = placeOf(event.target);
    if (place === null || this.#band.justEnded) return;
    const id = this.app.gallery.idAt(place);
    if (id === null) return;
    if (!this.#selects) {
      this.#openAt(place);
      return;
    }
    const on_check = event.target instanceof Element && event.target.closest("[data-check]") !== null;
    void this.#selecting.select(id, place, on_check && !event.shiftKey ? "toggle" : clickMode(event));
  };

  readonly #doubleClicked = (event: MouseEvent): void => {
    if (this.#selects) this.#openAt(placeOf(event.target));
  };

  readonly #keyDown = (event: KeyboardEvent): void => {
    const move = moveOf(event.key);
    const with_ctrl = event.ctrlKey || event.metaKey;
    if (move !== null && !event.altKey) this.#selecting.move(move, { with_shift: event.shiftKey, with_ctrl });
    else if (event.key === " " && this.#selects) this.#selecting.focused(event.shiftKey);
    else if (event.key.toLowerCase() === "a" && with_ctrl && this.#selects) void this.#selecting.all();
    else if (event.key === "Enter" && !this.#selects) this.#openAt(this.selection.place);
    else return;
    event.preventDefault();
  };

  #bringIntoSight(place: number): void {
    const scroller = this.#scroller();
    const top = scroller && scrollTo(place, this.grid, scroller.scrollTop, scroller.clientHeight);
    if (scroller && top !== null) scroller.scrollTop = top;
  }

  #toStart(): void {
    this.first_row = 0;
    this.selection = NOTHING_SELECTED;
    const scroller = this.#scroller();
    if (scroller) scroller.scrollTop = 0;
  }

  readonly #scrolled = (): void => {
    const top = this.#scroller()?.scrollTop ?? 0;
    this.#drawing.scrolled(top);
    this.first_row = Math.floor(top / ROW_PX);
  };

  #places(): readonly [number, number] {
    return placesAt(this.first_row, this.grid, this.#total);
  }

  #measure(): void {
    const { clientWidth, clientHeight } = this.#scroller() ?? this;
    this.grid = gridFor(clientWidth, clientHeight);
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
