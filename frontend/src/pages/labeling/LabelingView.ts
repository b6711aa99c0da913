import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { ImageStage } from "../../render/image_stage";
import { filterToSearch } from "../../state/image_filter";
import type { Command } from "../../state/keymap";
import type { OverlayStyle, Theme } from "../../state/preferences";
import { START_HASH } from "../../state/start";
import { isTiled } from "../../state/tiles";
import type { Readable } from "../../state/signal";
import "./components/Announcer";
import { AppView } from "./components/AppView";
import "./components/AppHeader";
import "./components/ClassificationUI";
import "./components/ClassPalette";
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
import { Keyboard } from "./keyboard";
import { LazyDialogs } from "./lazy_dialogs";
import { emptyState, stageChips, stageNotices } from "./notices";
import { roveFocusIn } from "./roving_focus";
import { ToolDesk } from "./tool_desk";

const ZOOM_STEP = 1.25;
const OPACITY_STEP = 0.1;
const OVERLAY_STYLES: readonly OverlayStyle[] = ["confidence", "classes", "uncertainty", "contour"];
const BESIDE_GALLERY: ReadonlySet<Command> = new Set<Command>(["gallery", "theme", "help", "escape", "save", "class-palette", "classes"]);

/** The page: puts the parts together, turns commands into actions and state into what the stage shows. */
export class LabelingView extends AppView {
  readonly #stage = new ImageStage();
  /** In segmentation sessions. */
  #desk: ToolDesk | null = null;
  readonly #keyboard = new Keyboard({
    bindings: () => this.app.keys.here,
    command: (command) => this.#run(command),
    chooseClass: (index) => this.#chooseClass(index),
    toolKey: (key) => !this.app.ui.gallery_open.value && (this.#desk?.key(key) ?? false),
    hide: (hidden) => this.app.ui.overlay_hidden.set(hidden),
    isHidden: () => this.app.ui.overlay_hidden.value,
    space: (held) => this.#stage.setSpaceHeld(held),
    isBlocked: () => this.querySelector("dialog[open]") !== null,
  });

  #dialogs: LazyDialogs | null = null;

  protected watched(): readonly Readable<unknown>[] {
    const { navigator, annotations, predictions, labelling, classes, preferences, ui, health, picture_view, filter, gallery_sort } = this.app;
    return [
      navigator.opened, navigator.loading, navigator.problem, annotations.current, predictions.shown, classes, preferences,
      labelling.selected_class_id, ...ToolDesk.watched(this.app), ui.overlay_hidden, ui.gallery_open, filter, gallery_sort, health.health, ui.all_done_read, ui.page_outdated, this.app.stats.stats,
      picture_view.tones, picture_view.shown_look,
    ]; // prettier-ignore
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stage.handlers = {
      needDetail: (image_id) => void this.#showDetail(image_id),
      zoomed: (zoom) => this.app.ui.zoom.set(zoom),
    };
    this.app.tiles.onArrival = () => this.#stage.tilesArrived();
    if (this.app.config.task === "segmentation") this.#desk = new ToolDesk(this.app, this.#stage);
    this.#keyboard.listen();
    roveFocusIn(this);
    this.addEventListener("fewclick-class", ({ detail }) => this.#choose(detail));
    this.addEventListener("fewclick-command", ({ detail }) => this.#run(detail));
    this.addEventListener("fewclick-class", ({ detail }) => this.#desk?.chooseClass(detail));
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
    this.#desk?.stop();
    removeEventListener("hashchange", this.#followHash);
    this.#dialogs?.stop();
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
            <fewclick-view-panel .app=${app}></fewclick-view-panel></div>
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
    const { navigator, annotations, predictions, classes, preferences, ui, picture_view } = this.app;
    const opened = navigator.opened.value;
    this.#showPicture();
    this.#stage.setClasses(classes.value);
    this.#stage.setAnnotation(annotations.current.value);
    this.#stage.setPrediction(predictions.shown.value);
    this.#stage.setRenderer(preferences.value.renderer);
    this.#stage.setTones(picture_view.tones.value);
    this.#stage.setStyle(preferences.value.overlay_style, picture_view.confidence_class_id);
    this.#stage.setOpacity(preferences.value.overlay_opacity);
    this.#stage.setHidden(ui.overlay_hidden.value);
    this.#stage.toggleAttribute("busy", navigator.loading.value);
    if (this.#desk) this.#desk.show();
    else this.#stage.setTool(null);
    this.#stage.wheel_pans = preferences.value.wheel_pans;
    document.documentElement.dataset.theme = preferences.value.theme;
    if (opened && location.hash !== START_HASH) history.replaceState(null, "", this.#address(opened.image.id));
  }

  /** With the filter, so that a reload and a link keep it. */
  #address(image_id: number): string {
    const { ui, filter, gallery_sort } = this.app;
    return ui.gallery_open.value ? `#/gallery${filterToSearch(filter.value, gallery_sort.value)}` : `#/image/${image_id}${filterToSearch(filter.value)}`;
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

  #shown_picture: unknown = null;
  #shown_look = "";

  #showPicture(): void {
    const opened = this.app.navigator.opened.value;
    const look = this.app.picture_view.shown_look.value;
    if (opened === this.#shown_picture && look === this.#shown_look) return;
    this.#shown_picture = opened;
    this.#shown_look = look;
    if (opened === null) {
      this.#stage.setPicture(null);
      return;
    }
    const { image, bitmap } = opened;
    const size = { width: image.width ?? bitmap?.width ?? 1, height: image.height ?? bitmap?.height ?? 1 };
    const tiles = isTiled(size) && bitmap ? this.app.tiles.of(image.id, size, look) : null;
    this.#stage.setPicture({ image_id: image.id, size, bitmap, tiles });
    this.#measureOpening(image.id);
  }

  #measured_id = 0;

  /** From the wish to see an image to the frame that shows it: for benchmarks, and for the browser's own tools. */
  #measureOpening(image_id: number): void {
    if (image_id === this.#measured_id) return;
    this.#measured_id = image_id;
    const { asked_at_ms: start } = this.app.navigator;
    // The stage has asked for this frame before.
    requestAnimationFrame(() => performance.measure("fewclick:image-shown", { start, detail: { image_id } }));
  }

  async #showDetail(image_id: number): Promise<void> {
    const bitmap = await this.app.navigator.detail(image_id);
    const opened = this.app.navigator.opened.value;
    if (bitmap && opened?.image.id === image_id) this.app.navigator.opened.set({ ...opened, bitmap });
  }

  #chooseClass(index: number): void {
    const label_class = this.app.classes.value[index];
    if (label_class !== undefined) this.#choose(label_class.id);
  }

  /** For the open image, or for the selection of the gallery. */
  #choose(class_id: number): void {
    if (this.app.ui.gallery_open.value) this.#gallery?.chooseClass(class_id);
    else if (this.#desk) this.#desk.chooseClass(class_id);
    else this.app.labelling.chooseClass(class_id);
  }

  readonly #followHash = (): void => {
    const wanted = imageIdInHash(location.hash);
    if (wanted !== null && wanted !== this.app.navigator.image?.id) void this.app.navigator.open(wanted);
    this.app.followHash(location.hash);
    if (isGallery(location.hash)) this.app.ui.gallery_open.set(true);
  };

  #run(command: Command): void {
    const closed = this.#closeMenus();
    if (closed && command === "escape") return;
    if (this.app.ui.gallery_open.value && (this.#gallery?.run(command) === true || !BESIDE_GALLERY.has(command))) return;
    this.#desk?.settle();
    this.querySelector("fewclick-hint")?.did(command);
    this.#actions[command]();
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

  readonly #actions: Readonly<Record<Command, () => void>> = {
    next: () => void this.app.navigator.next(),
    previous: () => void this.app.navigator.previous(),
    "next-in-order": () => void this.app.navigator.step(1),
    "previous-in-order": () => void this.app.navigator.step(-1),
    skip: () => void this.app.labelling.skip(),
    undetermined: () => void this.app.labelling.markUndetermined(),
    classes: () => this.app.ui.classes_open.set(!this.app.ui.classes_open.value),
    "class-palette": () => this.app.ui.class_palette_open.set(true),
    undo: () => void this.app.labelling.undo(),
    redo: () => void this.app.labelling.redo(),
    save: () => void this.app.training.start(),
    accept: () => void this.app.labelling.accept(false),
    "accept-next": () => void this.app.labelling.accept(true),
    none: () => this.app.labelling.chooseNone(),
    remove: () => (this.#desk ? this.#desk.remove() : this.app.labelling.removeNearest(null)),
    extract: () => {
      if (this.app.config.task === "segmentation") void this.app.labelling.extractPoints();
    },
    "point-mode": () => this.#desk?.choose("points"),
    "tool-select": () => this.#desk?.choose("select"),
    "tool-brush": () => this.#desk?.choose("brush"),
    "tool-eraser": () => this.#desk?.choose("eraser"),
    "tool-polygon": () => this.#desk?.choose("polygon"),
    "tool-box": () => this.#desk?.choose("box"),
    "tool-correct": () => this.#desk?.choose("correct"),
    "select-all": () => this.app.regions.selectAll(),
    "accept-region": () => this.#desk?.acceptRegion(),
    "hide-overlay": () => this.app.ui.overlay_hidden.set(!this.app.ui.overlay_hidden.value),
    "opacity-down": () => this.#stepSizeOrOpacity(-1),
    "opacity-up": () => this.#stepSizeOrOpacity(1),
    "overlay-style": () =>
      this.app.preferences.change({ overlay_style: after(OVERLAY_STYLES, this.app.preferences.value.overlay_style) }),
    fit: () => this.#stage.fit(),
    "actual-size": () => this.#stage.actualSize(),
    "zoom-in": () => this.#stage.zoomBy(ZOOM_STEP),
    "zoom-out": () => this.#stage.zoomBy(1 / ZOOM_STEP),
    comment: () => this.app.ui.comment_open.set(!this.app.ui.comment_open.value),
    strategy: () => this.querySelector<HTMLSelectElement>("[data-testid=strategy]")?.focus(),
    jump: () => this.querySelector<HTMLInputElement>("[data-testid=jump-to-image]")?.select(),
    gallery: () => this.app.ui.gallery_open.set(!this.app.ui.gallery_open.value),
    theme: () => this.app.preferences.change({ theme: otherTheme(this.app.preferences.value.theme) }),
    help: () => this.app.ui.help_open.set(!this.app.ui.help_open.value),
    progress: () => this.app.ui.progress_open.set(!this.app.ui.progress_open.value),
    checkpoints: () => this.app.ui.checkpoints_open.set(!this.app.ui.checkpoints_open.value),
    quality: () => this.app.ui.quality_open.set(!this.app.ui.quality_open.value),
    "view-panel": () => this.app.picture_view.panel_open.set(!this.app.picture_view.panel_open.value),
    escape: () => this.#escape(),
  };

  /** Whatever lies on top goes first. */
  #escape(): void {
    this.#stage.cancelTool();
    if (this.app.ui.gallery_open.value) this.app.ui.gallery_open.set(false);
    else if (this.app.ui.comment_open.value) this.app.ui.comment_open.set(false);
    else this.app.picture_view.panel_open.set(false);
  }

  /** Of the brush where one is in hand, else of the overlay. */
  #stepSizeOrOpacity(direction: 1 | -1): void {
    if (this.#desk?.hasSize) {
      this.app.tools.stepBrush(direction);
      return;
    }
    const opacity = Math.round((this.app.preferences.value.overlay_opacity + direction * OPACITY_STEP) * 20) / 20;
    this.app.preferences.change({ overlay_opacity: Math.min(Math.max(opacity, 0), 1) });
  }
}

/** The image that an address such as #/image/12 names. */
export function imageIdInHash(hash: string): number | null {
  const id = /^#\/image\/(\d+)(?:\?|$)/.exec(hash)?.[1];
  return id === undefined ? null : Number(id);
}

export function isGallery(hash: string): boolean {
  return hash === "#/gallery" || hash.startsWith("#/gallery?");
}

function after<T>(values: readonly T[], value: T): T {
  return values[(values.indexOf(value) + 1) % values.length] ?? value;
}

customElements.define("labeling-view", LabelingView);

/** The look that is not shown now; where that is what the system asks for, the system goes on deciding. */
function otherTheme(theme: Theme): Theme {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const other = (theme === "auto" ? system : theme) === "dark" ? "light" : "dark";
  return other === system ? "auto" : other;
}
