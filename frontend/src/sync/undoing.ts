import type { Api } from "../api/client";
import { ApiError } from "../api/errors";
import { sameDraft, type AnnotationStore } from "../state/annotations";
import type { ToastStore } from "../state/toasts";
import type { Travel } from "../state/trail";
import type { Draft } from "../state/types";
import type { SaveQueue } from "./save_queue";
import { UnansweredTravel } from "./save_steps";
import type { ServerChanges } from "./server_changes";

/**
 * Undo and redo on the open image. The server does them, as it has the history; while it is away, the page goes through
 * the states that it has seen, and the server is asked for the same steps once it is back.
 */
export class Undoing {
  /** Whether the last one without an answer was done here: those that follow it are done as it was. */
  #is_here = false;

  constructor(
    private readonly api: Pick<Api, Travel>,
    private readonly annotations: AnnotationStore,
    private readonly saves: SaveQueue,
    private readonly changes: ServerChanges,
    private readonly toasts: ToastStore,
    private readonly kind: () => Draft["kind"],
  ) {}

  /** False if it was not done; the person has been told. */
  async go(travel: Travel): Promise<boolean> {
    const image_id = this.annotations.image_id.value;
    const now = this.annotations.current.value;
    if (image_id === null) return false;
    if (!(travel === "undo" ? now.can_undo : now.can_redo)) {
      this.toasts.show("info", `Nothing to ${travel} on this image.`);
      return false;
    }
    if (this.saves.status.value === "offline") return this.#goHere(image_id, travel) || this.#tellUnknown(travel);
    try {
      const isShown = (base: Draft): boolean => this.#isShown(image_id, base);
      await this.saves.change(image_id, this.annotations.draft(this.kind()), now.revision, (newest) => this.api[travel](image_id, newest), travel, isShown);
      return true;
    } catch (error) {
      if (error instanceof UnansweredTravel) return this.#goOnHere(image_id, travel, error);
      await this.changes.tell(image_id, error);
      return false;
    }
  }

  /** The server is away by now. Whether it got the request does not matter: asked again, it says so. */
  async #goOnHere(image_id: number, travel: Travel, { base, cause, is_asked_again }: UnansweredTravel): Promise<boolean> {
    const is_open = image_id === this.annotations.image_id.value;
    if (is_asked_again) {
      this.toasts.show("warning", `${is_open ? "" : `Image ${image_id}: `}${askedAgainText(travel, cause)}`);
      return false;
    }
    if (base !== null) this.#is_here = this.#isShown(image_id, base);
    if (this.#is_here) return this.#goHere(image_id, travel) || this.#tellUnknown(travel);
    if (base === null) return false;
    if (is_open) await this.changes.tell(image_id, cause);
    else this.toasts.show("warning", `Image ${image_id}: the ${travel} was not done, as the server does not answer.`);
    return false;
  }

  #isShown(image_id: number, base: Draft): boolean {
    return image_id === this.annotations.image_id.value && sameDraft(this.annotations.draft(this.kind()), base);
  }

  #goHere(image_id: number, travel: Travel): boolean {
    if (image_id !== this.annotations.image_id.value) return false;
    const state = this.saves.travel(image_id, travel, this.annotations.current.value, this.kind());
    if (state !== null) this.annotations.travel(state);
    return state !== null;
  }

  #tellUnknown(travel: Travel): false {
    const what = travel === "undo" ? "What was done before" : "What was undone before";
    this.toasts.show("warning", `${what} is known to the server alone, which cannot be asked now. You can ${travel} it when it is back.`);
    return false;
  }
}

function askedAgainText(travel: Travel, cause: unknown): string {
  if (cause instanceof ApiError) return `The ${travel} is not done yet: ${cause.message}. The server is asked again.`;
  return `No answer came to the ${travel}, which may have been done. The server is asked until it answers.`;
}
