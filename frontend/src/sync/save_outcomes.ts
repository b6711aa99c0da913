import type { Api } from "../api/client";
import { explain } from "../api/errors";
import { sameDraft, type AnnotationStore } from "../state/annotations";
import { replacing, withoutClasses } from "../state/rebase";
import type { Readable } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import type { Annotation, Draft, LabelClass } from "../state/types";
import type { Navigator } from "./navigator";
import type { PredictionWatch } from "./prediction_watch";
import type { SaveListener, SaveQueue } from "./save_queue";

/** What the server made of changes: taken over where it agrees, told with the ways on where it does not. */
export class SaveOutcomes implements SaveListener {
  /** The messages of what was refused, by image. */
  readonly #refusals = new Map<number, number>();
  /** The message of a conflict, by image, with the drafts that it offers: the newest first. */
  readonly #conflicts = new Map<number, { readonly toast_id: number; readonly drafts: readonly Draft[] }>();

  constructor(
    private readonly api: Api,
    private readonly classes: Readable<readonly LabelClass[]>,
    private readonly annotations: AnnotationStore,
    private readonly saves: SaveQueue,
    private readonly navigator: Navigator,
    private readonly predictions: PredictionWatch,
    private readonly toasts: ToastStore,
  ) {}

  saved(image_id: number, sent: Draft, answer: Annotation): void {
    this.annotations.acknowledge(image_id, sent, answer, this.saves.reach(image_id));
    this.predictions.expect(image_id, answer.revision);
    this.navigator.invalidate(image_id);
    this.#forgetRefusal(image_id);
  }

  changed(image_id: number, answer: Annotation, pending: Draft | null): void {
    this.annotations.receive(image_id, answer, pending);
    this.predictions.expect(image_id, answer.revision);
    this.navigator.invalidate(image_id);
  }

  conflict(image_id: number, mine: Draft, current: Annotation): void {
    this.navigator.forget(image_id);
    this.#forgetRefusal(image_id);
    this.#tellConflict(image_id, mine, current);
  }

  rejected(image_id: number, mine: Draft, reason: string): void {
    this.navigator.forget(image_id);
    void this.#tellRefusal(image_id, mine, reason);
  }

  /** The server says that the image is at `revision`: by a change made here, or elsewhere. */
  async hear(image_id: number, revision: number): Promise<void> {
    if (!this.#isNews(image_id, revision)) return;
    // What is under way here may be what the server speaks of; if it is refused, the conflict has brought the news.
    await this.saves.settled(image_id).catch(() => undefined);
    if (this.#isNews(image_id, revision)) await this.reload(image_id);
  }

  /** Take the server's state of the image, if it is the open one. */
  async reload(image_id: number): Promise<void> {
    if (image_id !== this.annotations.image_id.value) return;
    try {
      this.#take(image_id, await this.api.annotation(image_id));
    } catch (error) {
      this.toasts.show("error", explain(error));
    }
  }

  /** Events may have been missed: the server's state of the open image, if that has moved. */
  async catchUp(): Promise<void> {
    const image_id = this.annotations.image_id.value;
    if (image_id === null) return;
    await this.saves.settled(image_id).catch(() => undefined);
    try {
      const found = await this.api.annotation(image_id);
      if (this.#isNews(image_id, found.revision)) this.#take(image_id, found);
    } catch (error) {
      // Asked again when the connection comes back the next time.
      explain(error);
    }
  }

  #isNews(image_id: number, revision: number): boolean {
    return image_id === this.annotations.image_id.value && revision > this.annotations.current.value.revision;
  }

  #take(image_id: number, annotation: Annotation): void {
    if (this.saves.pending(image_id) !== null) return;
    this.annotations.receive(image_id, annotation);
    this.predictions.expect(image_id, annotation.revision);
  }

  #tellConflict(image_id: number, mine: Draft, current: Annotation): void {
    this.annotations.receive(image_id, current);
    const told = this.#conflicts.get(image_id);
    const is_shown = this.toasts.value.some(({ id }) => id === told?.toast_id);
    if (told) this.toasts.dismiss(told.toast_id);
    // Nothing that was offered and not answered yet is lost.
    const earlier = is_shown ? (told?.drafts ?? []).filter((draft) => !sameDraft(draft, mine)) : [];
    const ways = [mine, ...earlier].map((draft, i) => ({
      text: i === 0 ? "Use mine instead" : "Use my earlier one",
      run: () => this.#overwrite(image_id, draft, current),
    }));
    const [action, ...more_actions] = ways;
    const text = `Image ${image_id} was changed elsewhere. What was saved there is shown now.`;
    const toast_id = this.toasts.show("warning", text, { ...(action && { action }), more_actions, keep: true });
    this.#conflicts.set(image_id, { toast_id, drafts: [mine, ...earlier] });
  }

  /** It stays on screen and in the browser: only the person may throw it away. */
  async #tellRefusal(image_id: number, mine: Draft, reason: string): Promise<void> {
    const isGone = await this.#removedClasses();
    if (this.saves.pending(image_id) === null) return;
    this.#forgetRefusal(image_id);
    const without = withoutClasses(mine, isGone) === null ? [] : [{ text: "Save without removed classes", run: () => this.#saveRest(image_id, isGone) }];
    const id = this.toasts.show("error", `Image ${image_id} was not saved, but is kept here: ${reason}`, {
      action: { text: "Try again", run: () => this.saves.retry(image_id) },
      more_actions: [...without, { text: "Discard", run: () => void this.#discard(image_id) }],
      keep: true,
    });
    this.#refusals.set(image_id, id);
  }

  /** Tells of a draft whether its class is gone: the list here may be older than the refusal. */
  async #removedClasses(): Promise<(class_id: number) => boolean> {
    const present = new Set(this.classes.value.map(({ id }) => id));
    try {
      const removed = new Set((await this.api.removedClasses()).map(({ id }) => id));
      return (class_id) => removed.has(class_id);
    } catch (error) {
      explain(error);
      return (class_id) => !present.has(class_id);
    }
  }

  #saveRest(image_id: number, isGone: (class_id: number) => boolean): void {
    const mine = this.saves.pending(image_id);
    const rest = mine === null ? null : withoutClasses(mine, isGone);
    if (rest === null) return;
    if (image_id === this.annotations.image_id.value) this.annotations.reapply(rest);
    this.saves.enqueue(image_id, rest, null);
  }

  async #discard(image_id: number): Promise<void> {
    this.saves.discard(image_id);
    await this.reload(image_id);
  }

  #forgetRefusal(image_id: number): void {
    const id = this.#refusals.get(image_id);
    if (id !== undefined) this.toasts.dismiss(id);
    this.#refusals.delete(image_id);
  }

  /** `found`: what the conflict brought, if the image is no longer open. */
  #overwrite(image_id: number, mine: Draft, found: Annotation): void {
    const is_open = image_id === this.annotations.image_id.value;
    const current = is_open ? this.annotations.current.value : this.saves.newer(image_id, found);
    const draft = replacing(mine, current);
    if (is_open) this.annotations.reapply(draft);
    this.saves.enqueue(image_id, draft, current.revision, false, current);
  }
}
