import { describe, expect, test } from "vitest";

import { asRecent, newClassName, searchClasses } from "../../src/state/class_search";
import { steadyBars, type Bar } from "../../src/state/prediction";
import type { LabelClass } from "../../src/state/types";

function named(id: number, name: string, parent_id: number | null = null): LabelClass {
  return { id, name, color: "#112233", group: null, parent_id };
}

const CLASSES = [named(1, "animal"), named(2, "house cat", 1), named(3, "wildcat", 1), named(4, "catfish"), named(5, "tree")];

function found(words: string, recent: readonly number[] = []): number[] {
  return searchClasses(CLASSES, words, recent).map(({ label_class }) => label_class.id);
}

describe("searchClasses", () => {
  test("names that begin so, then words that do, then parts", () => {
    expect(found("cat")).toEqual([4, 2, 3]);
  });

  test("classes above are found by, too", () => {
    expect(found("anim")).toEqual([1, 2, 3]);
    expect(found("animal wild")).toEqual([3]);
    expect(searchClasses(CLASSES, "house", [])[0]?.path).toBe("animal");
  });

  test("without words those chosen lately come first, then all in order", () => {
    expect(found("", [5, 3])).toEqual([5, 3, 1, 2, 4]);
    expect(found("  CAT ", [3])).toEqual([4, 2, 3]);
    expect(found("dog")).toEqual([]);
  });

  test("asRecent: newest first, each once", () => {
    expect(asRecent(asRecent([1, 2], 3), 2)).toEqual([2, 3, 1]);
    expect(asRecent([1, 2, 3, 4, 5, 6, 7, 8], 9)).toHaveLength(8);
  });
});

test("steadyBars: what reads the same keeps its place", () => {
  const bars = (...shares: number[]): Bar[] => shares.map((p, i) => ({ label_class: named(i + 1, String(i)), p }));
  const order = (list: readonly Bar[]): number[] => list.map(({ label_class }) => label_class.id);
  expect(order(steadyBars(bars(0.331, 0.333, 0.336), [1, 2, 3]))).toEqual([3, 1, 2]);
  expect(order(steadyBars(bars(0.331, 0.333, 0.329), [2, 1, 3]))).toEqual([2, 1, 3]);
  expect(order(steadyBars(bars(0.1, 0.8, 0.1), []))).toEqual([2, 1, 3]);
});

describe("newClassName", () => {
  test("a name that no class has, also where some are found by it", () => {
    expect(newClassName(CLASSES, " cat ")).toBe("cat");
    expect(newClassName(CLASSES, "outwear")).toBe("outwear");
  });

  test("none where a class is called so, or nothing is typed", () => {
    expect(["Tree", " ", ""].map((words) => newClassName(CLASSES, words))).toEqual([null, null, null]);
  });
});
