import { matches, withDraft } from "../state/annotations";
import type { ToastStore } from "../state/toasts";
import type { Annotation, Draft } from "../state/types";
import type { Navigator } from "./navigator";
import type { LeftImage } from "./on_screen";
import type { SaveQueue } from "./save_queue";

/** Answers for an image that no longer is the open one, but was still on screen. */
export class LateAnswers {
  constructor(
    private readonly saves: SaveQueue,
    private readonly navigator: Navigator,
    private readonly toasts: ToastStore,
  ) {}

  /** `said`: the answer, given what is said of the image now; `name` is how the person calls it. */
  give({ image, annotation }: LeftImage, name: string, said: (now: Annotation) => Draft): void {
    const pending = this.saves.pending(image.id);
    const now = pending === null ? this.saves.newer(image.id, annotation) : withDraft(annotation, pending);
    const draft = said(now);
    if (matches(now, draft) || (image.features === "failed" && draft.kind !== "aside")) return;
    this.saves.enqueue(image.id, draft, now.revision, draft.kind === "aside");
    this.navigator.forget(image.id);
    this.tell(image.id, name);
  }

  tell(image_id: number | null, name: string): void {
    this.toasts.show("info", `“${name}” went to image ${image_id ?? ""}: it was still on screen.`);
  }

  /** There is no prediction to accept where none was seen. `left`: what was on screen instead, if anything was. */
  refuseAccept(left: LeftImage | null): void {
    const why = left === null ? "the image was not shown yet" : `image ${left.image.id} was still on screen, and was left already`;
    this.toasts.show("info", `Nothing was accepted: ${why}.`);
  }
}
