import { expect, test } from "vitest";

import { exportQuery, exportsFor, MASK_CHOICES, SCOPE_CHOICES } from "../../src/state/exports";

type Tasks = Parameters<typeof exportsFor>[0];

test("exportsFor: COCO for every task, masks for segmentation alone", () => {
  const ids = (task: Tasks): string[] => exportsFor(task).map(({ id }) => id);
  expect(ids("segmentation")).toEqual(["json", "csv", "png-masks", "coco", "coco-polygons", "yolo-segment"]);
  expect(ids("classification")).toEqual(["json", "csv", "csv-all", "coco"]);
  expect(ids("multilabel")).toEqual(["json", "csv", "csv-all", "coco"]);
});

test("exportQuery: what masks say goes with those that have some", () => {
  const queries = exportsFor("segmentation").map((offer) => exportQuery(offer, "merged", "labeled"));
  expect(queries).toEqual([
    "format=json",
    "format=csv",
    "format=png-masks&masks=merged",
    "format=coco&masks=merged",
    "format=coco&masks=merged&outlines=polygons",
    "format=yolo-segment&masks=merged",
  ]);
  expect(exportsFor("segmentation").map((offer) => exportQuery(offer, "", "labeled"))[2]).toBe("format=png-masks");
});

test("exportQuery: CSV of labelled images, or of all", () => {
  const queries = exportsFor("classification").slice(1, 3).map((offer) => exportQuery(offer, "", "labeled"));
  expect(queries).toEqual(["format=csv", "format=csv&scope=all"]);
});

test("exportQuery: all images, where there are masks", () => {
  const queries = exportsFor("segmentation").slice(1, 3).map((offer) => exportQuery(offer, "merged", "all"));
  expect(queries).toEqual(["format=csv", "format=png-masks&masks=merged&scope=all"]);
});

test("choices: what is drawn is filled by the prediction, of labelled images, until something else is chosen", () => {
  expect([Object.keys(MASK_CHOICES)[0], Object.keys(SCOPE_CHOICES)[0]]).toEqual(["merged", "labeled"]);
});
