import { matches, withDraft } from "../state/annotations";
import { draftOf } from "../state/rebase";
import type { ToastStore } from "../state/toasts";
import { NO_REGIONS, type Region } from "../state/regions";
import type { Annotation, Draft, Point } from "../state/types";
import type { Navigator } from "./navigator";
import type { LeftImage } from "./on_screen";
import type { SaveQueue } from "./save_queue";
import type { ServerChanges } from "./server_changes";

/** Answers for an image that no longer is the open one, but was still on screen. */
export class LateAnswers {
  constructor(
    private readonly saves: SaveQueue,
    private readonly changes: ServerChanges,
    private readonly navigator: Navigator,
    private readonly toasts: ToastStore,
  ) {}

  /** `said`: the answer, given what is said of the image now; `name` is how the person calls it. */
  give(left: LeftImage, name: string, said: (now: Annotation) => Draft, is_step = false): void {
    const { image } = left;
    const now = this.now(left);
    const draft = said(now);
    if (matches(now, draft) || (image.features === "failed" && draft.kind !== "aside")) return;
    this.saves.enqueue(image.id, draft, now.revision, is_step || draft.kind === "aside", now);
    this.navigator.forget(image.id);
    this.tell(image.id, name);
  }

  /** The points that are there afterwards. */
  givePoints(left: LeftImage, name: string, said: (now: readonly Point[]) => readonly Point[]): void {
    this.give(left, name, ({ points, regions = NO_REGIONS }) => ({ kind: "points", points: said(points), regions }));
  }

  giveRegion(left: LeftImage, name: string, region: Region): void {
    this.give(left, name, ({ points, regions = NO_REGIONS }) => ({ kind: "points", points, regions: [...regions, region] }), true);
  }

  /** A change that the server makes. null if it was not made. */
  async ask(left: LeftImage, name: string, run: (revision: number | null) => Promise<Annotation>): Promise<Annotation | null> {
    const now = this.now(left);
    const answer = await this.changes.make(left.image.id, draftOf(now, "points"), now.revision, run);
    this.navigator.forget(left.image.id);
    if (answer !== null) this.tell(left.image.id, name);
    return answer;
  }

  /** What is said of the image, with what is on its way to the server. */
  now({ image, annotation }: LeftImage): Annotation {
    const pending = this.saves.pending(image.id);
    return pending === null ? this.saves.newer(image.id, annotation) : withDraft(annotation, pending);
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
