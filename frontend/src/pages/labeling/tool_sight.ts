import type { App } from "../../app";
import type { Vec2 } from "../../state/geometry";
import { correctionText, predictedRegionAt, type PredictedRegion } from "../../state/predicted_region";
import type { Correction } from "../../state/tools";
import type { Size } from "../../state/viewport";
import type { LeftImage } from "../../sync/on_screen";

/** Of eraser strokes, and of what has no class. */
export const NEUTRAL = "#f1f3f5";
export const UNKNOWN = "#808080";

/** What the tools see of the session: the image that is drawn on, its prediction, and the colours of the classes. */
export class ToolSight {
  /** `left`: the image that was still on screen and is drawn on; null: the open one. */
  constructor(
    private readonly app: App,
    private readonly left: () => LeftImage | null,
  ) {}

  imageSize(): Size | null {
    const image = this.left()?.image ?? this.app.navigator.opened.value?.image;
    return image?.width && image.height ? { width: image.width, height: image.height } : null;
  }

  predictedAt(at: Vec2): PredictedRegion | null {
    const left = this.left();
    const [shown, size] = [left ? left.prediction : this.app.predictions.shown.value, this.imageSize()];
    const is_of_image = shown?.image_id === (left?.image.id ?? this.app.annotations.image_id.value);
    return shown && size && is_of_image ? predictedRegionAt(shown, this.app.classes.value, size, at) : null;
  }

  colorFor(region: PredictedRegion, correction: Correction): string {
    const wanted = this.#classAfter(region, correction);
    return wanted === null ? UNKNOWN : this.color(wanted);
  }

  correctionText(region: PredictedRegion | null, correction: Correction): string {
    const image = this.imageSize();
    if (region && image) return correctionText(region, correction, this.#classAfter(region, correction), this.app.classes.value, image);
    return this.app.predictions.shown.value === null ? "No prediction yet: label first" : "";
  }

  chosenColor(): string {
    return this.color(this.app.labelling.selected_class_id.value);
  }

  /** The class; where it was removed meanwhile, the chosen one. */
  presentClass(class_id: number | null): number | null {
    const is_there = this.app.classes.value.some(({ id }) => id === class_id);
    return is_there ? class_id : this.app.labelling.selected_class_id.value;
  }

  color(class_id: number | null): string {
    return this.app.classes.value.find(({ id }) => id === class_id)?.color ?? UNKNOWN;
  }

  /** Of the region once it is clicked. */
  #classAfter({ class_id }: PredictedRegion, correction: Correction): number | null {
    return correction === "erase" ? this.app.regions.otherClass(class_id) : class_id;
  }
}
