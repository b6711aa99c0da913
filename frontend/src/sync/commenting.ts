import type { Api } from "../api/client";
import { explain } from "../api/errors";
import type { KeyValueStorage } from "../state/preferences";
import type { ToastStore } from "../state/toasts";
import type { ImageComment } from "../state/types";
import { CommentSaves } from "./comments";
import type { Navigator } from "./navigator";

/** What the server takes; it counts without space around. */
export const LONGEST_COMMENT = 2_000;

/** The note on the open image. It saves itself like everything else, and is no part of the annotation: undo leaves it. */
export class Commenting {
  readonly saves: CommentSaves;

  constructor(
    private readonly api: Api,
    private readonly navigator: Navigator,
    toasts: ToastStore,
    storage: KeyValueStorage,
    storage_key: string,
  ) {
    this.saves = new CommentSaves(
      (image_id, text, revision) => api.putComment(image_id, text, revision),
      {
        saved: (comment) => this.#take(comment),
        conflict: (mine, current) => {
          this.#take(current);
          toasts.show("warning", `The comment on image ${current.image_id} was changed elsewhere. What was written there is shown now.`, {
            action: { text: "Use mine instead", run: () => this.saves.write(current.image_id, mine, null) },
            keep: true,
          });
        },
        rejected: (image_id, mine, reason) => {
          toasts.show("error", `The comment on image ${image_id} was not saved, but is kept here: ${reason}`, {
            action: { text: "Try again", run: () => this.write(image_id, mine) },
            more_actions: [{ text: "Discard", run: () => this.saves.discard(image_id) }],
            keep: true,
          });
        },
      },
      storage,
      storage_key,
    );
  }

  /** Of the open image, as it was written here. */
  get text(): string {
    const { image } = this.navigator;
    return image === null ? "" : (this.saves.pending(image.id) ?? image.comment ?? "");
  }

  /** The server says that the comment is at `revision`: by a change made here, or elsewhere. */
  async hear(image_id: number, revision: number): Promise<void> {
    const isNews = (): boolean => {
      const { image } = this.navigator;
      return image?.id === image_id && (image.comment_revision ?? 0) < revision && this.saves.pending(image_id) === null;
    };
    if (!isNews()) return;
    try {
      const { comment, comment_revision } = await this.api.image(image_id);
      if (isNews()) this.navigator.change(image_id, { comment: comment ?? null, comment_revision: comment_revision ?? 0 });
    } catch (error) {
      // What is written on it names the revision that it was written on.
      explain(error);
    }
  }

  write(image_id: number, text: string): void {
    const image = this.navigator.image?.id === image_id ? this.navigator.image : null;
    if (text.trim() === (this.saves.pending(image_id) ?? image?.comment ?? "").trim()) return;
    this.saves.write(image_id, text, image?.comment_revision ?? null);
  }

  #take({ image_id, text, revision }: ImageComment): void {
    this.navigator.change(image_id, { comment: text === "" ? null : text, comment_revision: revision });
  }
}
