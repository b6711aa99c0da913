import type { App } from "../../app";
import type { ImageStage } from "../../render/image_stage";
import type { Command } from "../../state/keymap";
import { OVERLAY_STYLES, type Theme } from "../../state/preferences";
import { openDialog } from "./components/dialog";
import type { CursorDesk } from "./cursor_desk";
import type { ToolDesk } from "./tool_desk";

const ZOOM_STEP = 1.25;
const OPACITY_STEP = 0.1;

/** What each command does, whether a key, a button or the help asked for it. */
export class Commands {
  /** `desk`: in segmentation sessions; `page` holds the fields that commands lead to. */
  constructor(
    private readonly app: App,
    private readonly stage: ImageStage,
    private readonly desk: ToolDesk | null,
    private readonly cursor: CursorDesk,
    private readonly page: HTMLElement,
  ) {}

  /** `at_ms`: when the key or click came; a busy page hears of it later. */
  run(command: Command, at_ms?: number): void {
    this.#actions[command](at_ms);
  }

  readonly #actions: Readonly<Record<Command, (at_ms?: number) => void>> = {
    next: () => void this.app.navigator.next(),
    previous: () => void this.app.navigator.previous(),
    "next-in-order": () => void this.app.navigator.step(1),
    "previous-in-order": () => void this.app.navigator.step(-1),
    skip: (at_ms) => void this.app.labelling.skip(at_ms),
    undetermined: (at_ms) => void this.app.labelling.markUndetermined(at_ms),
    classes: () => openDialog(this.app.ui.classes_open),
    "class-palette": () => openDialog(this.app.ui.class_palette_open),
    undo: () => void this.app.labelling.undo(),
    redo: () => void this.app.labelling.redo(),
    save: () => void this.app.training.start(),
    accept: (at_ms) => void this.app.labelling.accept(false, at_ms),
    "accept-next": (at_ms) => void this.app.labelling.accept(true, at_ms),
    none: (at_ms) => this.app.labelling.chooseNone(at_ms),
    remove: (at_ms) => (this.desk ? this.desk.remove(at_ms) : this.app.labelling.removeNearest(null, at_ms)),
    extract: (at_ms) => {
      if (this.app.config.task === "segmentation") void this.app.labelling.extractPoints(at_ms);
    },
    "point-mode": () => this.desk?.choose("points"),
    "tool-select": () => this.desk?.choose("select"),
    "tool-brush": () => this.desk?.choose("brush"),
    "tool-eraser": () => this.desk?.choose("eraser"),
    "tool-polygon": () => this.desk?.choose("polygon"),
    "tool-box": () => this.desk?.choose("box"),
    "tool-correct": () => this.desk?.choose("correct"),
    "select-all": () => this.app.regions.selectAll(),
    "keyboard-cursor": () => this.cursor.toggle(),
    "accept-region": (at_ms) => this.desk?.acceptRegion(at_ms),
    "hide-overlay": () => this.app.ui.overlay_hidden.set(!this.app.ui.overlay_hidden.value),
    "opacity-down": () => this.#stepSizeOrOpacity(-1),
    "opacity-up": () => this.#stepSizeOrOpacity(1),
    "overlay-style": () =>
      this.app.preferences.change({ overlay_style: after(OVERLAY_STYLES, this.app.preferences.value.overlay_style) }),
    fit: () => this.stage.fit(),
    "actual-size": () => this.stage.actualSize(),
    "zoom-in": () => this.stage.zoomBy(ZOOM_STEP),
    "zoom-out": () => this.stage.zoomBy(1 / ZOOM_STEP),
    comment: () => this.app.ui.comment_open.set(!this.app.ui.comment_open.value),
    strategy: () => this.page.querySelector<HTMLSelectElement>("[data-testid=strategy]")?.focus(),
    jump: () => this.page.querySelector<HTMLInputElement>("[data-testid=jump-to-image]")?.select(),
    gallery: () => this.app.ui.gallery_open.set(!this.app.ui.gallery_open.value),
    theme: () => this.app.preferences.change({ theme: otherTheme(this.app.preferences.value.theme) }),
    help: () => openDialog(this.app.ui.help_open),
    progress: () => openDialog(this.app.ui.progress_open),
    checkpoints: () => openDialog(this.app.ui.checkpoints_open),
    quality: () => openDialog(this.app.ui.quality_open),
    "view-panel": () => this.app.picture_view.panel_open.set(!this.app.picture_view.panel_open.value),
    escape: () => this.#escape(),
  };

  /** Whatever lies on top goes first. */
  #escape(): void {
    this.stage.cancelTool();
    if (this.app.ui.gallery_open.value) this.app.ui.gallery_open.set(false);
    else if (this.app.ui.comment_open.value) this.app.ui.comment_open.set(false);
    else if (this.app.picture_view.panel_open.value) this.app.picture_view.panel_open.set(false);
    else this.cursor.leave();
  }

  /** Of the brush where one is in hand, else of the overlay. */
  #stepSizeOrOpacity(direction: 1 | -1): void {
    if (this.desk?.hasSize) {
      this.app.tools.stepBrush(direction);
      return;
    }
    const opacity = Math.round((this.app.preferences.value.overlay_opacity + direction * OPACITY_STEP) * 20) / 20;
    this.app.preferences.change({ overlay_opacity: Math.min(Math.max(opacity, 0), 1) });
  }
}

function after<T>(values: readonly T[], value: T): T {
  return values[(values.indexOf(value) + 1) % values.length] ?? value;
}

/** The look that is not shown now; where that is what the system asks for, the system goes on deciding. */
function otherTheme(theme: Theme): Theme {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const other = (theme === "auto" ? system : theme) === "dark" ? "light" : "dark";
  return other === system ? "auto" : other;
}
