/** Changes of many images at once. */
import type { ImageInfo } from "./types";
import { counted } from "./words";

export type BulkAction = "label" | "add" | "remove" | "accept" | "confirm" | "skip" | "undetermined" | "clear" | "undo" | "redo";

export interface BulkImage {
  readonly id: number;
  readonly revision?: number;
  /** Of one that was never in sight: how far the session was when its list was asked for. */
  readonly label_sequence?: number;
  /** What was in sight of the prediction; 0: that there is none. */
  readonly version?: number;
  readonly predicted?: number[];
}

export interface BulkChange {
  readonly action: BulkAction;
  readonly images: readonly BulkImage[];
  readonly class_id?: number;
  readonly class_ids?: number[];
  readonly by_model?: boolean;
  /** Accepted, too, is what nobody saw. */
  readonly unseen?: boolean;
}

export interface BulkOutcome {
  readonly changed: readonly { readonly id: number; readonly revision: number }[];
  readonly unchanged: number;
  readonly conflicts: readonly number[];
  readonly refused: readonly number[];
  /** Of those changed: they said something before, and say nothing now. */
  readonly emptied?: number;
}

interface BulkStep {
  readonly what: string;
  readonly images: readonly BulkImage[];
  /** What was selected, and no longer is. */
  readonly selected: readonly number[];
}

/** What was changed in bulk on this page; undone from the newest on. */
export class BulkHistory {
  readonly #done: BulkStep[] = [];
  readonly #undone: BulkStep[] = [];

  get toUndo(): BulkStep | null {
    return this.#done.at(-1) ?? null;
  }

  get toRedo(): BulkStep | null {
    return this.#undone.at(-1) ?? null;
  }

  did(step: BulkStep): void {
    this.#done.push(step);
    this.#undone.length = 0;
  }

  /** The newest step was undone, of these images at least. */
  undid(images: readonly BulkImage[]): void {
    const step = this.#done.pop();
    if (step && images.length > 0) this.#undone.push({ ...step, images });
  }

  redid(images: readonly BulkImage[]): void {
    const step = this.#undone.pop();
    if (step && images.length > 0) this.#done.push({ ...step, images });
  }
}

/** Answers that take off what was said, though their names do not say so. */
export const SETS_ASIDE: ReadonlySet<BulkAction> = new Set<BulkAction>(["skip", "undetermined"]);

/** "12 images labelled lion; 2 had changed meanwhile and were left alone." `tell_emptied`: and how many lost their labels. */
export function outcomeText({ changed, unchanged, conflicts, refused, emptied = 0 }: BulkOutcome, what: string, tell_emptied = false): string {
  const rest = [
    tell_emptied && emptied > 0 ? `the labels of ${emptied.toLocaleString("en")} were taken off` : "",
    conflicts.length > 0 ? `${conflicts.length.toLocaleString("en")} had changed meanwhile and ${conflicts.length === 1 ? "was" : "were"} left alone` : "",
    unchanged > 0 && changed.length > 0 ? `${unchanged.toLocaleString("en")} stayed as they were` : "",
    refused.length > 0 ? `${refused.length.toLocaleString("en")} cannot be labelled` : "",
  ].filter(Boolean);
  const first = changed.length > 0 ? `${counted(changed.length, "image")} ${what}` : "Nothing to change";
  return `${[first, ...rest].join("; ")}.`;
}

/** So many predictions are accepted without a question: they fit on a screen. */
export const MOST_UNASKED = 30;

/** Before more than that; `confidences` of those that were seen, 0..1. */
export function acceptQuestion(count: number, confidences: readonly number[]): string {
  const lowest = confidences.length === 0 ? "" : ` The least sure of them has ${Math.round(Math.min(...confidences) * 100)} %.`;
  return `Accept ${counted(count, "prediction")} at once?${lowest}`;
}

/** What the person saw of an image: what others made of it since is not overwritten, nor another prediction accepted. */
export function seenOf({ id, revision, predicted_class_id, predicted_class_ids }: ImageInfo): BulkImage {
  const predicted = predicted_class_ids ?? (predicted_class_id === null ? null : [predicted_class_id]);
  return predicted === null ? { id, revision, version: 0 } : { id, revision, predicted: [...predicted] };
}

/** Which of these can be accepted as seen, and of which nobody saw what is predicted. */
export function bySight(ids: readonly number[], seen: (id: number) => BulkImage): { seen: BulkImage[]; unseen: number[] } {
  const images = ids.map(seen);
  const is_seen = ({ version, predicted }: BulkImage): boolean => version !== undefined || predicted !== undefined;
  return { seen: images.filter(is_seen), unseen: images.filter((image) => !is_seen(image)).map(({ id }) => id) };
}
