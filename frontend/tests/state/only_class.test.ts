import { expect, test } from "vitest";

import { anotherClass, onlyClass } from "../../src/state/only_class";
import type { ShownPrediction } from "../../src/state/prediction";
import type { ClassCount, LabelClass } from "../../src/state/types";

const [NUCLEI, BACKGROUND, VESSEL] = ["nuclei", "background", "vessel"].map((name, i): LabelClass => ({ id: i + 1, name, color: "#000000", group: null })) as [LabelClass, LabelClass, LabelClass];
const TWO = [NUCLEI, BACKGROUND];

function shown(...maps: (readonly number[])[]): ShownPrediction {
  const made = maps.map((values, i) => ({ class_id: i + 1, map: { width: values.length, height: 1, values: Uint8Array.from(values) } }));
  return { image_id: 1, version: 1, annotation_revision: 1, probabilities: [], maps: made, refined: false };
}

function counts(...points: number[]): ClassCount[] {
  return points.map((count, i) => ({ class_id: i + 1, images: count, points: count, regions: 0, images_with_below: count, points_with_below: count }));
}

test.each([
  ["the first of two", TWO, shown([186, 186, 186]), NUCLEI],
  ["the other one of two", TWO, shown([69, 69, 69]), BACKGROUND],
  ["one of three", [NUCLEI, BACKGROUND, VESSEL], shown([34, 34], [34, 34], [187, 187]), VESSEL],
  ["up to rounding", TWO, shown([186, 187, 185]), NUCLEI],
] as const)("onlyClass: %s", (_, classes, prediction, expected) => {
  expect(onlyClass(classes, prediction)).toBe(expected);
});

test("onlyClass: none where the head tells places apart, where there is no prediction, or no other class", () => {
  expect([onlyClass(TWO, shown([186, 120])), onlyClass(TWO, null), onlyClass(TWO, shown()), onlyClass([NUCLEI], shown([186]))]).toEqual([null, null, null, null]);
});

test("onlyClass: none of a blank image once two classes have labels", () => {
  expect(onlyClass(TWO, shown([186, 186]), counts(3, 0))).toBe(NUCLEI);
  expect(onlyClass(TWO, shown([186, 186]), counts(3, 1))).toBeNull();
});

test("anotherClass: by its name where there is but one", () => {
  expect([anotherClass(TWO, NUCLEI), anotherClass([NUCLEI, BACKGROUND, VESSEL], NUCLEI)]).toEqual(["background", "another class"]);
});
