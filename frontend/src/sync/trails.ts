import { NO_REGIONS, withKnownGeometry, type Region } from "../state/regions";
import { afterTravel, LONGEST_TRAIL, reach, trailOf, travelled, withSave, withState, type Trail, type Travel } from "../state/trail";
import type { Annotation, Draft } from "../state/types";
import type { ChangeStep, Entry, SaveStep } from "./save_steps";

/** Images whose history is remembered while nothing of them waits. */
const REMEMBERED = 8;

export interface KnownTrail extends Trail {
  /** Of the state in force. */
  readonly revision: number | null;
}

interface Begun {
  readonly step: SaveStep | ChangeStep;
  /** What it said then, or was asked for on. */
  readonly draft: Draft;
  readonly trail: Trail;
}

/** A step that waits, and the trail after it. */
interface Passed extends Pick<SaveStep, "draft" | "travel"> {
  readonly trail: Trail;
}

interface Way {
  readonly begin: Trail;
  readonly passed: Passed[];
}

/**
 * The states of images that were seen here, as the server has them: so that undo and redo can be said without it. What
 * waits to be sent comes on top.
 */
export class Trails {
  readonly #known = new Map<number, KnownTrail>();
  /** Images whose states came without the shapes that are on screen. */
  readonly #partial = new Set<number>();
  /** Where what came before is not known: the trail since a save. */
  readonly #begun = new WeakMap<Entry, Begun>();
  readonly #ahead = new WeakMap<Entry, Way>();

  constructor(private readonly entries: ReadonlyMap<number, Entry>) {}

  /** What is on screen before a change of it; `entry`: what waits. */
  see(image_id: number, entry: Entry | undefined, now: Annotation): void {
    if (this.#partial.delete(image_id)) this.#fill(image_id, entry, now.regions ?? NO_REGIONS);
    const last = entry?.steps.at(-1);
    if (entry === undefined) {
      if (this.#known.get(image_id)?.revision !== now.revision) this.#set(image_id, { ...trailOf(now), revision: now.revision });
    } else if ((last?.kind === "save" || last?.is_asked_again) && this.ahead(image_id, entry) === null) {
      // Behind an undo without an answer: what it leads to is not on screen, what follows it is.
      this.#begun.set(entry, { step: last, draft: saidBy(last), trail: trailOf(now) });
    }
  }

  known(image_id: number): KnownTrail | null {
    return this.#known.get(image_id) ?? null;
  }

  /** Of an earlier visit. */
  take(image_id: number, known: KnownTrail): void {
    this.#set(image_id, known);
    this.#partial.add(image_id);
  }

  forget(image_id: number): void {
    this.#known.delete(image_id);
    this.#partial.delete(image_id);
  }

  /** The server has done such steps of the state at `revision`, though nobody here got its answers. */
  pass(image_id: number, revision: number | null, steps: readonly SaveStep[]): void {
    const known = this.#known.get(image_id);
    if (known?.revision !== revision) return;
    const trail = steps.reduce<Trail | null>((before, step) => before && passed(before, step), known);
    if (trail === null) this.#known.delete(image_id);
    else this.#set(image_id, { ...trail, revision: known.revision });
  }

  /** The server has answered a change of the state at `revision`. */
  answered(image_id: number, revision: number | null, answer: Annotation, travel: Travel | null): void {
    const known = this.#known.get(image_id);
    this.#set(image_id, { ...(known?.revision === revision ? nextTrail(known, answer, travel) : trailOf(answer)), revision: answer.revision });
  }

  /** With what waits; null if that holds a change whose outcome only the server knows, or nothing is known. */
  ahead(image_id: number, entry: Entry | undefined): Trail | null {
    if (entry === undefined) return this.known(image_id);
    const begin = this.#beginOf(image_id, entry);
    const steps = entry.steps.slice(begin?.from ?? 0);
    if (begin === null || !steps.every((step) => step.kind === "save")) return null;
    const before = this.#ahead.get(entry);
    const way: Passed[] = before?.begin === begin.trail ? before.passed : [];
    this.#ahead.set(entry, { begin: begin.trail, passed: way });
    // What has been gone along is not gone along again: with thousands of points that takes its time.
    const changed = steps.findIndex(({ draft, travel }, i) => way.at(i)?.draft !== draft || way.at(i)?.travel !== travel);
    way.splice(changed < 0 ? steps.length : changed);
    for (const step of steps.slice(way.length)) {
      const trail = passed(way.at(-1)?.trail ?? begin.trail, step);
      if (trail === null) return null;
      way.push({ draft: step.draft, travel: step.travel, trail });
    }
    return way.at(-1)?.trail ?? begin.trail;
  }

  /** The trail before the step at `from`. */
  #beginOf(image_id: number, entry: Entry): { readonly trail: Trail; readonly from: number } | null {
    const known = this.known(image_id);
    if (known?.revision === entry.revision && entry.steps[0]?.kind !== "change") return { trail: known, from: 0 };
    const begun = this.#begun.get(entry);
    if (begun === undefined) return null;
    const at = saidBy(begun.step) === begun.draft ? entry.steps.indexOf(begun.step) : -1;
    return at < 0 ? null : { trail: begun.trail, from: at + 1 };
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

  /** Whether undo or redo of the state at `revision` leads to one that was seen here. */
  knows(image_id: number, revision: number | null, travel: Travel): boolean {
    const known = this.known(image_id);
    return known?.revision === revision && travelled(known, travel) !== null;
  }

  /** Whether all that waits leads back to where it began: whoever has undone it has nothing to lose. */
  isAsBefore(image_id: number, entry: Entry): boolean {
    const known = this.known(image_id);
    const ahead = this.ahead(image_id, entry);
    return known?.revision === entry.revision && ahead !== null && ahead.states[ahead.at] === known.states[known.at];
  }

  /** An earlier visit kept no shapes that the server has, as all that it kept shows them. */
  #fill(image_id: number, entry: Entry | undefined, shown: readonly Region[]): void {
    const known = this.#known.get(image_id);
    if (known !== undefined) this.#known.set(image_id, { ...known, states: known.states.map((state) => withShapes(state, shown)) });
    for (const step of entry?.steps ?? []) {
      if (step.kind === "save" && step.draft.kind === "points") step.draft = withShapes(step.draft, shown);
    }
  }

  #set(image_id: number, known: KnownTrail): void {
    this.#known.delete(image_id);
    const from = Math.max(0, Math.min(known.at - LONGEST_TRAIL / 2, known.states.length - LONGEST_TRAIL));
    this.#known.set(image_id, from > 0 ? { ...known, states: known.states.slice(from), at: known.at - from } : known);
    const idle = [...this.#known.keys()].filter((id) => id !== image_id && !this.entries.has(id));
    for (const id of idle.slice(0, Math.max(0, idle.length - REMEMBERED))) this.#known.delete(id);
  }
}

/** null if that is not known here. */
function passed(trail: Trail, { draft, travel }: Pick<SaveStep, "draft" | "travel">): Trail | null {
  return travel === undefined ? withSave(trail, draft) : (travelled(trail, travel)?.trail ?? null);
}

function saidBy(step: SaveStep | ChangeStep): Draft {
  return step.kind === "save" ? step.draft : step.base;
}

function withShapes<T extends { readonly regions?: readonly Region[] }>(state: T, shown: readonly Region[]): T {
  return state.regions === undefined ? state : { ...state, regions: withKnownGeometry(state.regions, shown) };
}

function nextTrail(known: KnownTrail, answer: Annotation, travel: Travel | null): Trail {
  // Nothing had to be changed.
  if (answer.revision === known.revision) return { ...known, states: known.states.with(known.at, answer) };
  return travel === null ? withState(known, answer) : afterTravel(known, travel, answer);
}
