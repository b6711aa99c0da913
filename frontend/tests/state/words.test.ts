import { expect, test } from "vitest";

import type { Point } from "../../src/state/types";
import { counted, extractionText, markedText, sampleNoun } from "../../src/state/words";

test.each([[0, "0 images"], [1, "1 image"], [2, "2 images"], [12_345, "12,345 images"]])("counted: %i", (count, text) => {
  expect(counted(count, "image")).toBe(text);
});

test("counted: nouns that take more than an s", () => {
  expect([counted(1, "class", "classes"), counted(2, "class", "classes")]).toEqual(["1 class", "2 classes"]);
});

test("markedText: points and regions are never one number of one unit", () => {
  expect(markedText({ points: 1, regions: 2 })).toBe("1 point and 2 regions");
  expect(markedText({ points: 0, regions: 1 })).toBe("1 region");
  expect(markedText({ points: 0, regions: 0 })).toBe("");
});

test("sampleNoun: whole images are counted as images", () => {
  expect([sampleNoun("segmentation"), sampleNoun("classification"), sampleNoun("multilabel")]).toEqual(["sample", "image", "image"]);
});

test("extractionText: how many came, and how many of those before they replace; human points are none of them", () => {
  const points = (count: number): Point[] => [
    { id: 0, x: 9, y: 9, class_id: 1, origin: "human" },
    ...Array.from({ length: count }, (_, i): Point => ({ id: i + 1, x: i, y: 0, class_id: 1, origin: "extracted" })),
  ];
  expect(extractionText(points(0), points(1))).toBe("1 point extracted from the prediction.");
  expect(extractionText(points(1), points(4))).toBe("4 points extracted from the prediction, 1 earlier one replaced.");
  expect(extractionText(points(3), points(0))).toContain("No point extracted");
});
