import { describe, expect, it } from "vitest";

import { AnnotationStore, EMPTY_ANNOTATION, matches, sameDraft } from "../../src/state/annotations";
import { blocks, rebaseClasses, suggested, toggled } from "../../src/state/class_sets";
import { rebase } from "../../src/state/rebase";
import type { LabelClass } from "../../src/state/types";

const CLASSES: LabelClass[] = [
  { id: 1, name: "day", color: "#ff0000", group: "light" },
  { id: 2, name: "car", color: "#00ff00", group: null },
  { id: 3, name: "night", color: "#0000ff", group: "light" },
  { id: 4, name: "bus", color: "#00ffff", group: null },
];

describe("toggled", () => {
  it("adds in the order of the classes, and takes away", () => {
    expect(toggled(CLASSES, null, 4)).toEqual([4]);
    expect(toggled(CLASSES, [4], 2)).toEqual([2, 4]);
    expect(toggled(CLASSES, [2, 4], 4)).toEqual([2]);
  });

  it("puts a class in place of another one of its group", () => {
    expect(toggled(CLASSES, [1, 2], 3)).toEqual([2, 3]);
  });

  it("is unanswered again once nothing is left, and answers after none", () => {
    expect(toggled(CLASSES, [3], 3)).toBeNull();
    expect(toggled(CLASSES, [], 3)).toEqual([3]);
  });
});

describe("suggested", () => {
  it("takes what is more likely than not, of a group the most likely alone", () => {
    const of = (...ps: number[]) => ps.map((p, i) => ({ class_id: i + 1, p }));
    expect(suggested(CLASSES, of(0.6, 0.9, 0.7, 0.5))).toEqual([2, 3]);
    expect(suggested(CLASSES, of(0.1, 0.2, 0.3, 0.4))).toEqual([]);
    expect(suggested(CLASSES, [{ class_id: 9, p: 0.9 }])).toEqual([]);
  });
});

describe("blocks", () => {
  it("shows a group where its first class stands", () => {
    const shown = blocks(CLASSES).map(({ group, classes }) => [group, classes.map(({ index }) => index)]);
    expect(shown).toEqual([["light", [0, 2]], [null, [1, 3]]]);
  });
});

describe("rebaseClasses", () => {
  it("does the same change to another state", () => {
    expect(rebaseClasses([1, 2], [1], [4])).toEqual([4, 2]);
    expect(rebaseClasses([], [1], [1, 4])).toEqual([]);
    expect(rebaseClasses([1], [1], null)).toBeNull();
    expect(rebaseClasses(null, [1], [1, 2])).toBeNull();
    expect(rebaseClasses([2], null, [4])).toEqual([2]);
    const draft = (class_ids: number[] | null) => ({ kind: "classes", class_ids }) as const;
    expect(rebase(draft([1, 2]), draft([1]), draft([1, 4]))).toEqual(draft([1, 4, 2]));
  });
});

describe("AnnotationStore with several classes", () => {
  it("saves an answer, and nothing where nothing changed", () => {
    const store = new AnnotationStore();
    store.open(7, EMPTY_ANNOTATION);
    const origins: string[] = [];
    store.onChange(({ origin }) => origins.push(origin));
    expect(store.setClasses([1, 2])).toBe(true);
    expect(store.setClasses([2, 1])).toBe(false);
    expect(store.draft("classes")).toEqual({ kind: "classes", class_ids: [1, 2] });
    expect(store.setClasses([])).toBe(true);
    expect(store.current.value.labels).toEqual([]);
    expect(store.setClasses(null)).toBe(true);
    expect(origins).toEqual(["LOCAL", "LOCAL", "LOCAL"]);
  });

  it("leaves the origin of what stays", () => {
    const store = new AnnotationStore();
    store.open(7, { ...EMPTY_ANNOTATION, labels: [{ class_id: 1, origin: "accepted" }] });
    store.setClasses([1, 2]);
    expect(store.current.value.labels).toEqual([{ class_id: 1, origin: "accepted" }, { class_id: 2, origin: "human" }]);
    const draft = store.draft("classes");
    expect(matches(store.current.value, draft)).toBe(true);
    expect(sameDraft(draft, { kind: "classes", class_ids: [] })).toBe(false);
    expect(sameDraft(draft, { kind: "label", class_id: 1 })).toBe(false);
  });
});
