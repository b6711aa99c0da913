import { matches } from "../state/annotations";
import { afterTravel, LONGEST_TRAIL, reach, trailOf, travelled, withSave, withState, type Trail, type Travel } from "../state/trail";
import type { Annotation, Draft } from "../state/types";
import type { Entry } from "./save_steps";

/** Images whose history is remembered while nothing of them waits. */
const REMEMBERED = 8;

export interface KnownTrail extends Trail {
  /** Of the state in force. */
  readonly revision: number | null;
}

/**
 * The states of images that were seen here, as the server has them: so that undo and redo can be said without it. What
 * waits to be sent comes on top.
 */
export class Trails {
  readonly #known = new Map<number, KnownTrail>();

  constructor(private readonly entries: ReadonlyMap<number, Entry>) {}

  /** What is on screen before a first change of it. */
  see(image_id: number, now: Annotation): void {
    if (this.#known.get(image_id)?.revision !== now.revision) this.#set(image_id, { ...trailOf(now), revision: now.revision });
  }

  known(image_id: number): KnownTrail | null {
    return this.#known.get(image_id) ?? null;
  }

  take(image_id: number, known: KnownTrail): void {
    this.#set(image_id, known);
  }

  forget(image_id: number): void {
    this.#known.delete(image_id);
  }

  /** The server has answered a change of the state at `revision`. */
  answered(image_id: number, revision: number | null, answer: Annotation, travel: Travel | null): void {
    const known = this.#known.get(image_id);
    this.#set(image_id, { ...(known?.revision === revision ? nextTrail(known, answer, travel) : trailOf(answer)), revision: answer.revision });
  }

  /** With what waits; null if that holds a change whose outcome only the server knows, or nothing is known. */
  ahead(image_id: number, entry: Entry | undefined): Trail | null {
    let trail: Trail | null = this.known(image_id);
    if (entry !== undefined && this.known(image_id)?.revision !== entry.revision) return null;
    for (const step of entry?.steps ?? []) {
      if (trail === null || step.kind === "change") return null;
      trail = step.travel === undefined ? withSave(trail, step.draft) : (travelled(trail, step.travel)?.trail ?? null);
    }
    return trail;
  }

  reach(image_id: number, entry: Entry | undefined): Pick<Annotation, "can_undo" | "can_redo"> | null {
    const trail = this.ahead(image_id, entry);
    return trail === null ? null : reach(trail);
  }

  /** The state that undo or redo leads to; null if that is not known here. */
  target(image_id: number, entry: Entry | undefined, travel: Travel): Annotation | null {
    const trail = this.ahead(image_id, entry);
    return trail === null ? null : (travelled(trail, travel)?.state ?? null);
  }

  /** Whether the draft says what stood before all that waits: whoever has undone that has nothing to lose. */
  isAsBefore(image_id: number, { revision }: Entry, draft: Draft): boolean {
    const known = this.known(image_id);
    const before = known?.revision === revision ? known.states[known.at] : undefined;
    return before !== undefined && matches(before, draft);
  }

  #set(image_id: number, known: KnownTrail): void {
    this.#known.delete(image_id);
    const from = Math.max(0, Math.min(known.at - LONGEST_TRAIL / 2, known.states.length - LONGEST_TRAIL));
    this.#known.set(image_id, from > 0 ? { ...known, states: known.states.slice(from), at: known.at - from } : known);
    const idle = [...this.#known.keys()].filter((id) => id !== image_id && !this.entries.has(id));
    for (const id of idle.slice(0, Math.max(0, idle.length - REMEMBERED))) this.#known.delete(id);
  }
}

function nextTrail(known: KnownTrail, answer: Annotation, travel: Travel | null): Trail {
  // Nothing had to be changed.
  if (answer.revision === known.revision) return { ...known, states: known.states.with(known.at, answer) };
  return travel === null ? withState(known, answer) : afterTravel(known, travel, answer);
}
