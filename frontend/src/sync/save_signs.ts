import { Signal } from "../state/signal";
import type { Annotation, SaveStatus } from "../state/types";
import { NewestAnswers } from "./newest_answers";
import { reasonOf, type Entry } from "./save_steps";

export interface SaveTrouble {
  /** No answer at all, or one that says that the server cannot save. */
  readonly kind: "unreachable" | "refused";
  readonly reason: string;
}

/** What the page says of all that waits, and knows of what was answered. */
export class SaveSigns {
  readonly status = new Signal<SaveStatus>("saved");
  /** Why what was done last is not saved yet; null while nothing is wrong. */
  readonly trouble = new Signal<SaveTrouble | null>(null);
  /** Whether all that waits would outlive the page. */
  readonly is_kept = new Signal(true);
  protected readonly answers = new NewestAnswers();

  /** Of `annotation` and the last answer to a change made here, the newer one. */
  newer(image_id: number, annotation: Annotation): Annotation {
    return this.answers.newer(image_id, annotation);
  }

  /** Revision of the last answer to a change made here; -1 without one. */
  newest(image_id: number): number {
    return this.answers.revision(image_id);
  }

  protected updateStatus(waiting: ReadonlyMap<number, Entry>): void {
    const { status, refused } = statusOf([...waiting.values()]);
    if (status !== "offline") this.trouble.set(refused === null ? null : { kind: "refused", reason: reasonOf(refused) });
    this.status.set(status);
  }
}

/** Of all that waits, and the first that was refused. */
function statusOf(entries: readonly Entry[]): { readonly status: SaveStatus; readonly refused: Error | null } {
  const is_stuck = entries.some((entry) => entry.failures > 0);
  const refused = entries.find((entry) => entry.refused !== null)?.refused ?? null;
  if (entries.length === 0) return { status: "saved", refused };
  if (is_stuck) return { status: "offline", refused };
  return { status: refused === null ? "saving" : "refused", refused };
}
