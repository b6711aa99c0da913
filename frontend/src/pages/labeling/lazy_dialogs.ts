import { html, type TemplateResult } from "lit";

import type { App } from "../../app";
import type { Readable } from "../../state/signal";
import type { UiState } from "../../state/ui";

interface LazyDialog {
  readonly opened: (ui: UiState) => Readable<boolean>;
  readonly load: () => Promise<unknown>;
  readonly draw: (app: App) => TemplateResult;
}

const DIALOGS: readonly LazyDialog[] = [
  {
    opened: (ui) => ui.classes_open,
    load: () => import("./components/ClassEditor"),
    draw: (app) => html`<fewclick-class-editor .app=${app}></fewclick-class-editor>`,
  },
  {
    opened: (ui) => ui.help_open,
    load: () => import("./components/KeyHelp"),
    draw: (app) => html`<fewclick-key-help .app=${app}></fewclick-key-help>`,
  },
  {
    opened: (ui) => ui.quality_open,
    load: () => import("./components/QualityDialog"),
    draw: (app) => html`<fewclick-quality-dialog .app=${app}></fewclick-quality-dialog>`,
  },
  {
    opened: (ui) => ui.checkpoints_open,
    load: () => import("./components/CheckpointDialog"),
    draw: (app) => html`<fewclick-checkpoint-dialog .app=${app}></fewclick-checkpoint-dialog>`,
  },
  {
    opened: (ui) => ui.progress_open,
    load: () => import("./components/ProgressDialog"),
    draw: (app) => html`<fewclick-progress-dialog .app=${app}></fewclick-progress-dialog>`,
  },
];

/** After this long the page has what it starts with, and the rest may come. */
const REST_AFTER_MS = 4_000;

/** Dialogs whose code comes once the page rests, so that they open without the server too, or when one is opened sooner. */
export class LazyDialogs {
  readonly #rest = setTimeout(() => void this.#loadRest(), REST_AFTER_MS);
  readonly #there = new Set<LazyDialog>();
  readonly #stops: (() => void)[];

  constructor(
    private readonly app: App,
    private readonly changed: () => void,
  ) {
    this.#stops = DIALOGS.map((dialog) => dialog.opened(app.ui).subscribe((is_open) => void (is_open && this.#load(dialog))));
  }

  stop(): void {
    clearTimeout(this.#rest);
    for (const stop of this.#stops.splice(0)) stop();
  }

  draw(): TemplateResult[] {
    return DIALOGS.filter((dialog) => this.#there.has(dialog)).map(({ draw }) => draw(this.app));
  }

  async #loadRest(): Promise<void> {
    for (const { load } of DIALOGS) {
      try {
        await load();
      } catch (error) {
        // Who opens it is told.
        if (!isMissing(error)) throw error;
        return;
      }
    }
  }

  async #load(dialog: LazyDialog): Promise<void> {
    if (this.#there.has(dialog)) return;
    try {
      await dialog.load();
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.app.toasts.show("error", "This part of the page could not be loaded. Is the server still running? Reload the page if it was updated.", {
        detail: error.message,
      });
      return;
    }
    this.#there.add(dialog);
    this.changed();
  }
}

/** What import() says when a script does not come, and the build's loader when a style does not. */
function isMissing(error: unknown): error is Error {
  return error instanceof TypeError || (error instanceof Error && error.message.startsWith("Unable to preload"));
}
