import { expect, test } from "vitest";

import { counted, markedText, sampleNoun } from "../../src/state/words";

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
