import { Signal } from "./signal";

/** What is open on the page; lives no longer than the page. */
export class UiState {
  readonly gallery_open = new Signal(false);
  readonly help_open = new Signal(false);
  readonly quality_open = new Signal(false);
  readonly checkpoints_open = new Signal(false);
  readonly classes_open = new Signal(false);
  readonly progress_open = new Signal(false);
  /** Choosing a class by a few letters: for the open image, or for the selection of the gallery. */
  readonly class_palette_open = new Signal(false);
  /** That all images are answered has been read. */
  readonly all_done_read = new Signal(false);
  /** The notice of a fault that was put away; another one is shown. */
  readonly banner_read = new Signal<string | null>(null);
  /** The server is of another version than when the page was loaded. */
  readonly page_outdated = new Signal(false);
  readonly comment_open = new Signal(false);
  readonly overlay_hidden = new Signal(false);
  /** The keyboard has a cursor on the image. */
  readonly key_cursor = new Signal(false);
  /** What was said of that cursor last; empty where it is not there. */
  readonly cursor_said = new Signal("");
  /** Of the stage, screen pixels per image pixel. */
  readonly zoom = new Signal(1);
}
