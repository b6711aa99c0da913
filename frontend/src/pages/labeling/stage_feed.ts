import type { App } from "../../app";
import type { ImageStage } from "../../render/image_stage";
import { sharedOpacity } from "../../state/opacity";
import { isTiled } from "../../state/tiles";

/** Brings to the stage what it shows: the picture, what is said and predicted of it, and how the person wants to see that. */
export class StageFeed {
  #shown_picture: unknown = null;
  #shown_look = "";
  #measured_id = 0;

  constructor(
    private readonly app: App,
    private readonly stage: ImageStage,
  ) {}

  show(): void {
    const { annotations, predictions, classes, preferences, ui, picture_view, tools } = this.app;
    this.#showPicture();
    this.stage.setClasses(classes.value);
    this.stage.setAnnotation(annotations.current.value);
    this.stage.setPrediction(predictions.shown.value, this.app.only_class?.id ?? null);
    this.stage.setRenderer(preferences.value.renderer);
    this.stage.setTones(picture_view.tones.value);
    this.stage.setStyle(preferences.value.overlay_style, picture_view.confidence_class_id);
    const shows_regions = annotations.regions.some(({ id }) => !tools.hidden.value.has(id));
    this.stage.setOpacity(sharedOpacity(preferences.value.overlay_opacity, shows_regions).overlay);
    this.stage.setHidden(ui.overlay_hidden.value);
    this.stage.wheel_pans = preferences.value.wheel_pans;
  }

  /** The picture in its full size: somebody looks closer. */
  async showDetail(image_id: number): Promise<void> {
    const bitmap = await this.app.navigator.detail(image_id);
    const opened = this.app.navigator.opened.value;
    if (bitmap && opened?.image.id === image_id) this.app.navigator.opened.set({ ...opened, bitmap });
  }

  #showPicture(): void {
    const opened = this.app.navigator.opened.value;
    const look = this.app.picture_view.shown_look.value;
    if (opened === this.#shown_picture && look === this.#shown_look) return;
    this.#shown_picture = opened;
    this.#shown_look = look;
    if (opened === null) {
      this.stage.setPicture(null);
      return;
    }
    const { image, bitmap } = opened;
    const size = { width: image.width ?? bitmap?.width ?? 1, height: image.height ?? bitmap?.height ?? 1 };
    const tiles = isTiled(size) && bitmap ? this.app.tiles.of(image.id, size, look) : null;
    this.stage.setPicture({ image_id: image.id, size, bitmap, tiles });
    // The stage has asked for this frame before.
    requestAnimationFrame(() => {
      if (this.app.navigator.image?.id !== image.id) return;
      this.app.navigator.on_screen.shown();
      this.stage.pictureShown();
    });
    this.#measureOpening(image.id);
  }

  /** From the wish to see an image to the frame that shows it: for benchmarks, and for the browser's own tools. */
  #measureOpening(image_id: number): void {
    if (image_id === this.#measured_id) return;
    this.#measured_id = image_id;
    const { asked_at_ms: start } = this.app.navigator;
    requestAnimationFrame(() => {
      performance.measure("fewclick:image-shown", { start, detail: { image_id } });
    });
  }
}
