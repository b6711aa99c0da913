/** What the page knows of the history of an image: the states that undo and redo lead to. */
import { matches, withDraft } from "./annotations";
import { asideOf, draftOf } from "./rebase";
import type { Annotation, Draft } from "./types";

export type Travel = "undo" | "redo";

/** States in their order, of which the one at `at` is in force. Others may lie before the first and after the last. */
export interface Trail {
  readonly states: readonly Annotation[];
  readonly at: number;
}

/** States kept; undo reaches further on the server. */
export const LONGEST_TRAIL = 200;

export function trailOf(annotation: Annotation): Trail {
  return { states: [annotation], at: 0 };
}

/** The trail once the server has made the draft the newest step; the same if it says nothing new. */
export function withSave(trail: Trail, draft: Draft): Trail {
  const now = trail.states[trail.at];
  if (now === undefined || saysAll(now, draft)) return trail;
  return withState(trail, withDraft(now, draft));
}

/** A state that came after the one in force, in place of what would have been redone. */
export function withState({ states, at }: Trail, state: Annotation): Trail {
  const kept = [...states.slice(0, at + 1), state].slice(-LONGEST_TRAIL);
  return { states: kept, at: kept.length - 1 };
}

/** `answer`: what the server went to; it may be another state than expected, or one that was not known. */
export function afterTravel({ states, at }: Trail, travel: Travel, answer: Annotation): Trail {
  const to = at + (travel === "undo" ? -1 : 1);
  if (to < 0) return { states: [answer, ...states].slice(0, LONGEST_TRAIL), at: 0 };
  return { states: [...states.slice(0, to), answer, ...states.slice(to + 1)], at: to };
}

/** The state that undo or redo leads to, with what can be undone and redone there; null if that is not known here. */
export function travelled({ states, at }: Trail, travel: Travel): { readonly trail: Trail; readonly state: Annotation } | null {
  const trail = { states, at: at + (travel === "undo" ? -1 : 1) };
  const state = states[trail.at];
  return state === undefined ? null : { trail, state: { ...state, ...reach(trail) } };
}

/** Whether there is something to undo and to redo; at both ends the server has said so. */
export function reach({ states, at }: Trail): Pick<Annotation, "can_undo" | "can_redo"> {
  return {
    can_undo: at > 0 || (states[0]?.can_undo ?? false),
    can_redo: at < states.length - 1 || (states[at]?.can_redo ?? false),
  };
}

/** A state as a draft of the session's kind. */
export function saidIn(state: Annotation, kind: Draft["kind"]): Draft {
  const draft = asideOf(state) ?? draftOf(state, kind);
  // A list of its own: the server has it then as it is, but not yet.
  return draft.kind === "points" && draft.regions !== undefined ? { ...draft, regions: [...draft.regions] } : draft;
}

/** Whether the draft adds nothing: a label that a person gives anew is a person's, whoever said so before. */
export function saysAll(now: Annotation, draft: Draft): boolean {
  const is_confirmed = draft.kind === "label" && now.label !== null && now.label.origin !== "human";
  return matches(now, draft) && !is_confirmed;
}
