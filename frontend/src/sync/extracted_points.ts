import type { Api } from "../api/client";
import type { AnnotationStore } from "../state/annotations";
import type { ToastStore } from "../state/toasts";
import type { Annotation, Point } from "../state/types";
import { counted, extractionText } from "../state/words";
import type { Navigator } from "./navigator";
import type { LeftImage } from "./on_screen";
import type { PredictionWatch } from "./prediction_watch";

/** A change that the server makes; null if it was not made. */
type OnServer = (run: (image_id: number, revision: number | null) => Promise<Annotation>, left: LeftImage | null, name: string) => Promise<Annotation | null>;

/** Points drawn from the prediction: hundreds at once, so that they also go at once. */
export class ExtractedPoints {
  constructor(
    private readonly api: Pick<Api, "extractPoints">,
    private readonly annotations: AnnotationStore,
    private readonly navigator: Navigator,
    private readonly predictions: PredictionWatch,
    private readonly toasts: ToastStore,
    private readonly pointsOf: (left: LeftImage | null) => readonly Point[],
    private readonly onServer: OnServer,
  ) {}

  /** `left`: of that image, not of the open one. */
  async extract(left: LeftImage | null): Promise<void> {
    const image_id = left?.image.id ?? this.annotations.image_id.value;
    const predicted = left?.prediction ?? this.predictions.shown.value;
    if (image_id === null || predicted?.image_id !== image_id) {
      this.toasts.show("info", "There is no prediction to extract points from yet: set a few points first, of each class at least one.");
      return;
    }
    const before = this.pointsOf(left);
    const answer = await this.onServer((id, revision) => this.api.extractPoints(id, revision), left, "Extract points");
    if (answer === null) return;
    const action = { text: "Remove them", run: () => void this.#removeFrom(image_id) };
    this.toasts.show("info", extractionText(before, answer.points), answer.points.some(isExtracted) ? { action } : {});
  }

  /** From the open image: what a person set or moved stays. One step for undo. */
  remove(): void {
    const { points } = this.annotations.current.value;
    const stay = points.filter((point) => !isExtracted(point));
    const count = points.length - stay.length;
    if (count === 0) this.toasts.show("info", "There are no extracted points on this image.");
    else if (this.annotations.edit({ points: stay })) this.toasts.show("info", `${counted(count, "extracted point")} removed. Undo brings them back.`);
  }

  /** Wherever the person has gone since. */
  async #removeFrom(image_id: number): Promise<void> {
    if (this.annotations.image_id.value === image_id || (await this.navigator.returnTo(image_id))) this.remove();
  }
}

export function isExtracted({ origin }: Point): boolean {
  return origin === "extracted";
}
