import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { ImageStage } from "../../render/image_stage";
import { imageIdInHash, isGallery, isNewEntry, newHash } from "../../state/address";
import type { Command } from "../../state/keymap";
import type { Readable } from "../../state/signal";
import "./components/Announcer";
import { AppView } from "./components/AppView";
import "./components/AppHeader";
import "./components/ClassificationUI";
import "./components/ClassPalette";
import "./components/CursorLine";
import type { Gallery } from "./components/Gallery";
import "./components/Gallery";
import "./components/HintCallout";
import "./components/ImageStrip";
import "./components/MultilabelUI";
import "./components/QualityPanel";
import "./components/SegmentationUI";
import "./components/Toasts";
import "./components/ToolPalette";
import "./components/Toolbar";
import "./components/TrainingPanel";
import "./components/ViewPanel";
import { AddressWriter } from "./address_writer";
import { Commands } from "./commands";
import { CursorDesk } from "./cursor_desk";
import { Keyboard } from "./keyboard";
import { LazyDialogs } from "./lazy_dialogs";
import { emptyState, stageChips, stageNotices } from "./notices";
import { roveFocusIn } from "./roving_focus";
import { StageFeed } from "./stage_feed";
import { ToolDesk } from "./tool_desk";

const BESIDE_GALLERY: ReadonlySet<Command> = new Set<Command>(["gallery", "theme", "help", "escape", "save", "class-palette", "classes"]);

/** The page: puts the parts together, and keys, clicks and the address where they belong. */
export class LabelingView extends AppView {
  readonly #stage = new ImageStage();
  #feed: StageFeed | null = null;
  /** In segmentation sessions. */
  #desk: ToolDesk | null = null;
  #cursor: CursorDesk | null = null;
  #commands: Commands | null = null;
  #input_at_ms: number | undefined;
  /** The image that the present entry of the browser's history names. */
  #entry_image_id: number | null = null;
  /** The address as it was last read or written here. Where it is another, the page has yet to hear of it. */
  #known_hash = location.hash;
  /** On its way, as the address asks for it: until it is there, the address is ahead of the page. */
  #followed_id: number | null = null;
  readonly #keyboard = new Keyboard({
    bindings: () => this.app.keys.here,
    command: (command, at_ms) => this.#run(command, at_ms),
    chooseClass: (index, at_ms) => this.#chooseClass(index, at_ms),
    cursorKey: (...key) => this.#cursor?.key(...key) ?? false,
    toolKey: (key, at_ms) => !this.app.ui.gallery_open.value && (this.#desk?.key(key, at_ms) ?? false),
    hide: (hidden) => this.app.ui.overlay_hidden.set(hidden),
    isHidden: () => this.app.ui.overlay_hidden.value,
    space: (held) => this.#stage.setSpaceHeld(held),
    isBlocked: () => this.querySelector("dialog[open]") !== null,
  });

  #dialogs: LazyDialogs | null = null;
  readonly #address = new AddressWriter(history, () => this.requestUpdate());

  protected watched(): readonly Readable<unknown>[] {
    const { navigator, annotations, predictions, labelling, classes, preferences, ui, health, picture_view, filter, gallery_sort } = this.app;
    return [
      navigator.opened, navigator.loading, navigator.problem, annotations.current, predictions.shown, classes, preferences,
      labelling.selected_class_id, ...ToolDesk.watched(this.app), ui.overlay_hidden, ui.gallery_open, filter, gallery_sort, health.health, ui.all_done_read, this.app.all_done.has_come, this.app.stats.stats,
      picture_view.tones, picture_view.shown_look,
    ]; // prettier-ignore
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const feed = new StageFeed(this.app, this.#stage);
    this.#feed = feed;
    this.#stage.handlers = {
      needDetail: (image_id) => void feed.showDetail(image_id),
      zoomed: (zoom) => this.app.ui.zoom.set(zoom),
      imageAt: (at_ms) => this.app.navigator.on_screen.imageAt(at_ms),
      leftInput: (pointers, image_id) => this.#desk?.leftInput(pointers, image_id),
      missed: (image_id) => this.#desk?.missed(image_id),
      gaveUp: (image_id) => this.#cursor?.gaveUp(image_id),
    };
    this.app.tiles.onArrival = () => this.#stage.tilesArrived();
    if (this.app.config.task === "segmentation") this.#desk = new ToolDesk(this.app, this.#stage);
    this.#cursor = new CursorDesk(this.app, this.#stage, this.#desk);
    this.#commands = new Commands(this.app, this.#stage, this.#desk, this.#cursor, this);
    this.#keyboard.listen();
    roveFocusIn(this);
    this.addEventListener("fewclick-class", ({ detail }) => this.#choose(detail, this.#input_at_ms));
    this.addEventListener("fewclick-command", ({ detail }) => this.#run(detail, this.#input_at_ms));
    for (const type of ["click", "keydown"]) this.addEventListener(type, this.#noteInput, { capture: true });
    // A clicked button must not catch Space and Enter afterwards: those are keys of the image.
    this.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      if (event.detail > 0 && button?.closest("dialog") === null) button.blur();
    });
    addEventListener("hashchange", this.#followHash);
    this.#dialogs = new LazyDialogs(this.app, () => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#keyboard.stop();
    this.#cursor?.stop();
    this.#desk?.stop();
    removeEventListener("hashchange", this.#followHash);
    this.#dialogs?.stop();
    this.#address.stop();
  }

  protected override render(): TemplateResult {
    const { app } = this;
    const gallery_open = app.ui.gallery_open.value;
    return html`
      <button class="skip-link" @click=${() => this.#toImage()}>Skip to the image</button>
      <fewclick-header .app=${app}></fewclick-header>
      <main class="work" ?inert=${gallery_open}>
        <div class="image-column">
          <fewclick-toolbar .app=${app}></fewclick-toolbar>
          <div class="stage-frame ${app.config.task === "segmentation" ? "has-palette" : ""}">
            ${app.config.task === "segmentation" ? html`<fewclick-tool-palette .app=${app}></fewclick-tool-palette>` : nothing}
            ${this.#stage} ${stageChips(app)} ${emptyState(app, () => this.#run("next"))}
            ${stageNotices(app)}
            <fewclick-cursor-line .app=${app}></fewclick-cursor-line>
            <fewclick-view-panel .app=${app}></fewclick-view-panel></div>
          <fewclick-hint .app=${app}></fewclick-hint>
          <fewclick-image-strip .app=${app}></fewclick-image-strip>
        </div>
        <aside class="sidebar" aria-label="Labels, prediction and training">
          ${this.#taskPanel()}
          <fewclick-quality-panel .app=${app}></fewclick-quality-panel>
          <fewclick-training-panel .app=${app}></fewclick-training-panel>
        </aside>
      </main>
      ${gallery_open ? html`<fewclick-gallery .app=${app}></fewclick-gallery>` : nothing}
      <fewclick-class-palette .app=${app}></fewclick-class-palette>
      ${this.#dialogs?.draw()}
      <fewclick-announcer .app=${app}></fewclick-announcer>
      <fewclick-toasts .app=${app}></fewclick-toasts>
    `;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const { preferences, navigator, ui, filter, gallery_sort } = this.app;
    this.#feed?.show();
    if (this.#desk) this.#desk.show();
    else this.#stage.setTool(null);
    const { dataset } = document.documentElement;
    if (dataset.theme !== preferences.value.theme) dataset.theme = preferences.value.theme;
    const place = { image_id: navigator.image?.id ?? null, in_gallery: ui.gallery_open.value, filter: filter.value, sort: gallery_sort.value };
    if (this.#followed_id !== null && place.image_id !== this.#followed_id) return;
    // Else the entry that the browser has gone back to would be written over.
    if (location.hash !== this.#known_hash) return;
    const hash = newHash(location.hash, place);
    if (hash !== null && !this.#address.write(hash, isNewEntry(this.#entry_image_id, place))) return;
    this.#known_hash = location.hash;
    if (!place.in_gallery) this.#entry_image_id = place.image_id;
  }

  get #gallery(): Gallery | null {
    return this.querySelector<Gallery>("fewclick-gallery");
  }

  #taskPanel(): TemplateResult {
    const { app } = this;
    switch (app.config.task) {
      case "segmentation":
        return html`<fewclick-segmentation-ui .app=${app}></fewclick-segmentation-ui>`;
      case "classification":
        return html`<fewclick-classification-ui .app=${app}></fewclick-classification-ui>`;
      case "multilabel":
        return html`<fewclick-multilabel-ui .app=${app}></fewclick-multilabel-ui>`;
    }
  }

  #chooseClass(index: number, at_ms: number): void {
    const label_class = this.app.classes.value[index];
    if (label_class !== undefined) this.#choose(label_class.id, at_ms);
  }

  /** For the open image, or for the selection of the gallery. */
  #choose(class_id: number, at_ms?: number): void {
    if (this.app.ui.gallery_open.value) this.#gallery?.chooseClass(class_id);
    else if (this.#desk) this.#desk.chooseClass(class_id);
    else this.app.labelling.chooseClass(class_id, at_ms);
  }

  /** What a part of the page asks for in answer to a key or click has the time of that. */
  readonly #noteInput = ({ timeStamp, type, target }: Event): void => {
    if (type === "click" && target instanceof Element && target.closest(".toasts") === null) this.app.toasts.moveOn();
    this.#input_at_ms = timeStamp;
    setTimeout(() => (this.#input_at_ms = undefined));
  };

  readonly #followHash = (): void => {
    this.#known_hash = location.hash;
    this.app.toasts.moveOn();
    const wanted = imageIdInHash(location.hash);
    if (wanted !== null && wanted !== this.app.navigator.image?.id) void this.#follow(wanted);
    this.app.followHash(location.hash);
    if (wanted !== null || isGallery(location.hash)) this.app.ui.gallery_open.set(wanted === null);
  };

  async #follow(image_id: number): Promise<void> {
    this.#followed_id = image_id;
    await this.app.navigator.returnTo(image_id);
    if (this.#followed_id !== image_id) return;
    this.#followed_id = null;
    // Where it could not be had, the address says again what is open.
    this.#entry_image_id = this.app.navigator.image?.id ?? null;
    this.requestUpdate();
  }

  #run(command: Command, at_ms?: number): void {
    this.app.toasts.moveOn();
    const closed = this.#closeMenus();
    if (closed && command === "escape") return;
    if (this.app.ui.gallery_open.value && (this.#gallery?.run(command) === true || !BESIDE_GALLERY.has(command))) return;
    this.#desk?.settle();
    this.querySelector("fewclick-hint")?.did(command);
    this.#commands?.run(command, at_ms);
  }

  #toImage(): void {
    this.querySelector<HTMLElement>("[data-testid=image-canvas]")?.focus();
  }

  /** Whether one was open: Escape then closes nothing else. Our keys prevent what the browser would do. */
  #closeMenus(): boolean {
    const menus = this.querySelectorAll<HTMLElement>(".menu:popover-open");
    for (const menu of menus) menu.hidePopover();
    return menus.length > 0;
  }
}

customElements.define("labeling-view", LabelingView);
