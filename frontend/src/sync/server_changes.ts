import { ApiError, explain } from "../api/errors";
import type { ToastStore } from "../state/toasts";
import type { Annotation, Draft } from "../state/types";
import type { SaveOutcomes } from "./save_outcomes";
import type { SaveQueue } from "./save_queue";

/** Changes of an annotation that the server makes: accepting, extracting. Without it they cannot be had. */
export class ServerChanges {
  constructor(
    private readonly saves: SaveQueue,
    private readonly outcomes: SaveOutcomes,
    private readonly toasts: ToastStore,
  ) {}

  /** In its turn after all that was done to the image before; `base` is what is known of it. null if it was not made. */
  async make(image_id: number, base: Draft, revision: number | null, run: (revision: number | null) => Promise<Annotation>): Promise<Annotation | null> {
    if (this.saves.status.value === "offline") {
      this.toasts.show("warning", "Not now: this is done by the server, which does not answer. What you did is kept here and sent later; you can go on labelling, and change it by hand.");
      return null;
    }
    try {
      return await this.saves.change(image_id, base, revision, run);
    } catch (error) {
      await this.tell(image_id, error);
      return null;
    }
  }

  /** Why a change was not made; what stands is shown. */
  async tell(image_id: number, error: unknown): Promise<void> {
    const is_conflict = error instanceof ApiError && error.status === 409;
    this.toasts.show(is_conflict ? "info" : "error", explain(error));
    await this.outcomes.reload(image_id);
  }
}
