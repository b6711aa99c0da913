import { expect, test } from "vitest";

import { exportsFor } from "../../src/state/exports";

test("exportsFor: COCO for every task, masks for segmentation alone", () => {
  const formats = (task: Parameters<typeof exportsFor>[0]): string[] => exportsFor(task).map(({ format }) => format);
  expect(formats("segmentation")).toEqual(["json", "csv", "png-masks", "coco"]);
  expect(formats("classification")).toEqual(["json", "csv", "coco"]);
  expect(formats("multilabel")).toEqual(["json", "csv", "coco"]);
});
