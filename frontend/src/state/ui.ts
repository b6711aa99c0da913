import { Signal } from "./signal";

/** What is open on the page; lives no longer than the page. */
export class UiState {
  readonly gallery_open = new Signal(false);
  readonly help_open = new Signal(false);
  readonly quality_open = new Signal(false);
  readonly checkpoints_open = new Signal(false);
  readonly classes_open = new Signal(false);
  readonly progress_open = new Signal(false);
  readonly overlay_hidden = new Signal(false);
  /** Of the stage, screen pixels per image pixel. */
  readonly zoom = new Signal(1);
}
