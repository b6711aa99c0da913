import { describe, expect, it } from "vitest";

import { classKey } from "../../src/state/class_keys";
import { suggested, toggled } from "../../src/state/class_sets";
import { above, below, classRows, dropped, indented, outdented, searchRows, shifted } from "../../src/state/class_tree";
import type { LabelClass } from "../../src/state/types";

const [ANIMAL, CAT, DOG, PUPPY, CAR] = [1, 2, 3, 4, 5];
const CLASSES: LabelClass[] = [
  make(ANIMAL, "animal"),
  make(CAT, "cat", ANIMAL),
  make(DOG, "dog", ANIMAL),
  make(PUPPY, "puppy", DOG),
  make(CAR, "car"),
];

function make(id: number, name: string, parent_id: number | null = null, group: string | null = null): LabelClass {
  return { id, name, color: "#808080", group, parent_id };
}

describe("the tree", () => {
  it("knows depth, and place among those with the same parent", () => {
    const rows = classRows(CLASSES).map(({ depth, place, siblings }) => [depth, place, siblings]);
    expect(rows).toEqual([[0, 0, 2], [1, 0, 2], [1, 1, 2], [2, 0, 1], [0, 1, 2]]); // prettier-ignore
  });

  it("knows what a class implies, and what implies it", () => {
    expect(above(CLASSES, PUPPY)).toEqual([DOG, ANIMAL]);
    expect(below(CLASSES, DOG)).toEqual([DOG, PUPPY]);
  });

  it("shows what is found with those above it", () => {
    expect(searchRows(classRows(CLASSES), " PUP ").map(({ label_class }) => label_class.id)).toEqual([ANIMAL, DOG, PUPPY]);
    expect(searchRows(classRows(CLASSES), "fish")).toEqual([]);
  });
});

describe("moving", () => {
  it("up and down among those with the same parent", () => {
    expect(shifted(CLASSES, DOG, -1)).toEqual({ parent_id: ANIMAL, before: CAT });
    expect(shifted(CLASSES, CAT, 1)).toEqual({ parent_id: ANIMAL, before: null });
    expect(shifted(CLASSES, CAT, -1)).toBeNull();
    expect(shifted(CLASSES, ANIMAL, 1)).toEqual({ parent_id: null, before: null });
  });

  it("below the class before it, and out again", () => {
    expect(indented(CLASSES, CAR)).toEqual({ parent_id: ANIMAL, before: null });
    expect(indented(CLASSES, CAT)).toBeNull();
    expect(outdented(CLASSES, PUPPY)).toEqual({ parent_id: ANIMAL, before: null });
    expect(outdented(CLASSES, DOG)).toEqual({ parent_id: null, before: CAR });
    expect(outdented(CLASSES, CAR)).toBeNull();
  });

  it("by dropping: before, onto, after", () => {
    expect(dropped(CLASSES, CAR, CAT, "before")).toEqual({ parent_id: ANIMAL, before: CAT });
    expect(dropped(CLASSES, CAR, CAT, "after")).toEqual({ parent_id: ANIMAL, before: DOG });
    expect(dropped(CLASSES, CAR, CAT, "inside")).toEqual({ parent_id: CAT, before: null });
    // The line right below a class with others below it is their first place.
    expect(dropped(CLASSES, CAR, ANIMAL, "after")).toEqual({ parent_id: ANIMAL, before: CAT });
  });

  it("never below itself, nor to where it is", () => {
    expect(dropped(CLASSES, ANIMAL, PUPPY, "inside")).toBeNull();
    expect(dropped(CLASSES, CAT, DOG, "before")).toBeNull();
    expect(dropped(CLASSES, PUPPY, DOG, "inside")).toBeNull();
  });
});

describe("answers with several classes", () => {
  it("a class comes with those above it and goes with those below", () => {
    expect(toggled(CLASSES, null, PUPPY)).toEqual([ANIMAL, DOG, PUPPY]);
    expect(toggled(CLASSES, [ANIMAL, DOG, PUPPY, CAR], DOG)).toEqual([ANIMAL, CAR]);
    expect(toggled(CLASSES, [ANIMAL, DOG], ANIMAL)).toBeNull();
  });

  it("what a parent excludes goes, with all below it", () => {
    const grouped = [make(1, "day", null, "light"), make(2, "noon", 1), make(3, "night", null, "light"), make(4, "dusk", 3)];
    expect(toggled(grouped, [1, 2], 4)).toEqual([3, 4]);
    expect(suggested(grouped, [{ class_id: 2, p: 0.9 }, { class_id: 3, p: 0.8 }])).toEqual([1, 2]); // prettier-ignore
  });
});

describe("keys on a row", () => {
  const shown = CLASSES.map(({ id }) => id);
  const key = (name: string, altKey = false) => classKey({ key: name, altKey, ctrlKey: false, metaKey: false }, CLASSES, shown, DOG);

  it("choose, sort, put below, rename, open", () => {
    expect(key("ArrowDown")).toEqual({ kind: "go", class_id: PUPPY });
    expect(key("ArrowUp", true)).toEqual({ kind: "move", place: { parent_id: ANIMAL, before: CAT } });
    expect(key("ArrowRight", true)).toEqual({ kind: "move", place: { parent_id: CAT, before: null } });
    expect(key("Enter")).toEqual({ kind: "rename" });
    expect(key("Delete")).toEqual({ kind: "panel", panel: "remove" });
    expect(key("M")).toEqual({ kind: "panel", panel: "merge" });
    expect(key("x")).toBeNull();
  });
});
