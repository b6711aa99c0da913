import { describe, expect, test } from "vitest";

import { EMPTY_ANNOTATION } from "../../src/state/annotations";
import { afterTravel, LONGEST_TRAIL, reach, saidIn, trailOf, travelled, withSave, type Trail } from "../../src/state/trail";
import type { Annotation } from "../../src/state/types";

function answered(...class_ids: number[]): Annotation {
  return { ...EMPTY_ANNOTATION, labels: class_ids.map((class_id) => ({ class_id, origin: "human" })) };
}

function classesAlong({ states }: Trail): (number[] | null)[] {
  return states.map(({ labels }) => labels?.map(({ class_id }) => class_id) ?? null);
}

describe("a trail", () => {
  test("of answers with several classes: what says nothing new is no step, what is said after an undo takes the place of the rest", () => {
    let trail = trailOf(EMPTY_ANNOTATION);
    for (const class_ids of [[1], [1], [1, 2], []]) trail = withSave(trail, { kind: "classes", class_ids });
    expect([classesAlong(trail), reach(trail)]).toEqual([[null, [1], [1, 2], []], { can_undo: true, can_redo: false }]);
    trail = travelled(trail, "undo")?.trail ?? trail;
    expect(travelled(trail, "redo")?.state.labels).toEqual([]);
    expect(classesAlong(withSave(trail, { kind: "classes", class_ids: [3] }))).toEqual([null, [1], [1, 2], [3]]);
  });

  test("a person who gives the label that was merely accepted says something new", () => {
    const accepted = trailOf({ ...EMPTY_ANNOTATION, label: { class_id: 1, origin: "accepted" } });
    const trail = withSave(accepted, { kind: "label", class_id: 1 });
    expect(trail.states.map(({ label }) => label?.origin)).toEqual(["accepted", "human"]);
    expect(withSave(trail, { kind: "label", class_id: 1 })).toBe(trail);
  });

  test("ends where only the server knows what was before", () => {
    const trail = trailOf({ ...answered(1), can_undo: true });
    expect([travelled(trail, "undo"), reach(trail)]).toEqual([null, { can_undo: true, can_redo: false }]);
    const further = afterTravel(trail, "undo", { ...answered(), can_undo: false, can_redo: true });
    expect([classesAlong(further), further.at, reach(further)]).toEqual([[[], [1]], 0, { can_undo: false, can_redo: true }]);
  });

  test("takes what the server went to for what it expected", () => {
    const trail = withSave(trailOf(answered(1)), { kind: "classes", class_ids: [2] });
    expect(classesAlong(afterTravel(trail, "undo", answered(3)))).toEqual([[3], [2]]);
  });

  test("forgets its oldest states", () => {
    let trail = trailOf(EMPTY_ANNOTATION);
    for (let n = 0; n < LONGEST_TRAIL + 5; n += 1) trail = withSave(trail, { kind: "classes", class_ids: [n] });
    expect([trail.states.length, trail.at]).toEqual([LONGEST_TRAIL, LONGEST_TRAIL - 1]);
  });

  test("a state as a draft: set aside, or in the kind of the session, with a list of regions of its own", () => {
    expect(saidIn({ ...EMPTY_ANNOTATION, skipped: true }, "label")).toEqual({ kind: "aside", as: "skipped" });
    expect(saidIn(EMPTY_ANNOTATION, "label")).toEqual({ kind: "label", class_id: null });
    const draft = saidIn(EMPTY_ANNOTATION, "points");
    expect(draft).toEqual({ kind: "points", points: [], regions: [] });
    expect(draft.kind === "points" && draft.regions === EMPTY_ANNOTATION.regions).toBe(false);
  });
});
