import { describe, expect, test } from "vitest";

import { clickMode, moved, NOTHING_SELECTED, only, placeAfter, placesIn, rangeTo, toggled, withRange, type Selection } from "../../src/state/selection";

const KEYS = { shiftKey: false, ctrlKey: false, metaKey: false };

function ids(selection: Selection): number[] {
  return [...selection.ids];
}

test("clickMode: Shift goes before Ctrl, Cmd is as Ctrl", () => {
  expect(clickMode(KEYS)).toBe("only");
  expect(clickMode({ ...KEYS, metaKey: true })).toBe("toggle");
  expect(clickMode({ ...KEYS, ctrlKey: true, shiftKey: true })).toBe("range");
});

describe("clicks", () => {
  test("one alone, and the same again selects nothing", () => {
    const first = only(NOTHING_SELECTED, 7, 3);
    expect([ids(first), first.place, first.anchor]).toEqual([[7], 3, 3]);
    expect(ids(only(first, 8, 4))).toEqual([8]);
    expect(ids(only(first, 7, 3))).toEqual([]);
    expect(ids(only(toggled(first, 9, 5), 7, 3))).toEqual([7]);
  });

  test("a range goes from the anchor to either side, and may begin anew from it", () => {
    const first = only(NOTHING_SELECTED, 70, 5);
    expect(rangeTo(first, 8)).toEqual([5, 8]);
    expect(rangeTo(first, 2)).toEqual([2, 5]);
    const range = withRange(first, [50, 60, 70], 3, false);
    expect([ids(range), range.anchor, range.place]).toEqual([[50, 60, 70], 5, 3]);
    expect(rangeTo(range, 9)).toEqual([5, 9]);
  });

  test("a range is added to what is there, or comes in its place", () => {
    const first = toggled(only(NOTHING_SELECTED, 1, 0), 9, 8);
    expect(ids(withRange(first, [9, 10], 9, true))).toEqual([1, 9, 10]);
    expect(ids(withRange(first, [9, 10], 9, false))).toEqual([9, 10]);
  });

  test("no more than one change takes", () => {
    const many = Array.from({ length: 6_000 }, (_, i) => i + 1);
    expect(withRange(NOTHING_SELECTED, many, 0, true).ids.size).toBe(5_000);
  });
});

describe("placeAfter", () => {
  // 3 rows of 4, the last one with 2.
  const go = (place: number | null, move: Parameters<typeof placeAfter>[1]): number => placeAfter(place, move, 4, 2, 10);
  test.each([
    [null, "right", 0], [null, "end", 9], [0, "right", 1], [0, "left", 0], [3, "right", 4], [4, "left", 3], [1, "up", 1], [1, "down", 5],
    [7, "down", 9], [9, "down", 9], [8, "right", 9], [9, "right", 9], [5, "home", 0], [5, "end", 9], [1, "page-down", 5], [9, "page-up", 5],
    [2, "page-up", 2],
  ] as const)("%s %s is %s", (place, move, expected) => {
    expect(go(place, move)).toBe(expected);
  });

  test("an empty grid", () => {
    expect(placeAfter(null, "down", 4, 2, 0)).toBe(0);
  });

  test("moving alone takes the anchor along", () => {
    const start = only(NOTHING_SELECTED, 7, 3);
    expect(moved(start, 5, false)).toMatchObject({ place: 5, anchor: 5, ids: new Set([7]) });
    expect(moved(start, 5, true)).toMatchObject({ place: 5, anchor: 3 });
  });
});

describe("placesIn", () => {
  const grid = { columns: 3, total: 8, step_x: 110, step_y: 60, gap: 10 };
  test("tiles that are touched, not those beside the gap", () => {
    expect(placesIn({ left: 0, top: 0, right: 5, bottom: 5 }, grid)).toEqual([0]);
    expect(placesIn({ left: 102, top: 0, right: 108, bottom: 5 }, grid)).toEqual([]);
    expect(placesIn({ left: 90, top: 40, right: 120, bottom: 70 }, grid)).toEqual([0, 1, 3, 4]);
  });

  test("outside there is nothing", () => {
    expect(placesIn({ left: -50, top: -50, right: 900, bottom: 900 }, grid)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(placesIn({ left: 0, top: 200, right: 900, bottom: 300 }, grid)).toEqual([]);
  });
});
