import { describe, expect, test } from "vitest";

import { asksModel, filterFromHash, filterParts, filterQuery, filterToSearch, goesThroughDone, isFilter, nextQuery, NO_FILTER, type ImageFilter } from "../../src/state/image_filter";

const FULL: ImageFilter = {
  status: "accepted", class_id: 3, class_role: "predicted", min_percent: 20, max_percent: 80, text: "a b&=#ü", metadata: ["site=north east", "k=a=b"],
}; // prettier-ignore
const CLASSES = [{ id: 3, name: "lion", color: "#112233", group: null }];

describe("address", () => {
  test("comes back as it was", () => {
    expect(filterFromHash(`#/gallery${filterToSearch(FULL, "confidence")}`)).toEqual({ filter: FULL, sort: "confidence" });
    expect(filterFromHash(`#/image/12${filterToSearch(FULL)}`)).toEqual({ filter: FULL, sort: "id" });
    expect(filterToSearch(NO_FILTER)).toBe("");
    expect(filterFromHash("#/image/12")).toEqual({ filter: NO_FILTER, sort: "id" });
  });

  test("what makes no sense is left out", () => {
    const { filter, sort } = filterFromHash("#/gallery?status=mad&class=-1&as=x&min=120&max=abc&meta=none&sort=size&q=%E0%A4%A&x");
    expect([filter, sort]).toEqual([NO_FILTER, "id"]);
    expect(filterFromHash("#/gallery?min=90&max=10").filter).toMatchObject({ min_percent: 10, max_percent: 10 });
  });
});

describe("query", () => {
  test("as the server takes it", () => {
    expect(filterQuery(FULL)).toEqual({
      status: "labeled", reviewed: false, predicted_class_id: 3, min_confidence: 0.2, max_confidence: 0.8, q: "a b&=#ü", meta: FULL.metadata,
    }); // prettier-ignore
    expect(filterQuery(NO_FILTER)).toEqual({});
    expect(filterQuery({ ...NO_FILTER, status: "failed" })).toEqual({ features: "failed" });
    expect(filterQuery({ ...NO_FILTER, status: "undetermined", class_id: 1 })).toEqual({ status: "undetermined", shown_class_id: 1 });
  });

  test("images that failed never come up next; those that are done only if asked for", () => {
    expect(nextQuery({ ...NO_FILTER, status: "failed" })).toEqual({});
    expect(["all", "unlabeled", "failed", "labeled", "reviewed", "skipped"].map((status) => goesThroughDone({ ...NO_FILTER, status } as ImageFilter))).toEqual([
      false, false, false, true, true, true,
    ]); // prettier-ignore
  });
});

test("filterParts: in words, each can be taken away", () => {
  const parts = filterParts(FULL, CLASSES);
  expect(parts.map(({ text }) => text)).toEqual(["Accepted", "predicted lion", "confidence 20–80 %", "“a b&=#ü”", "site=north east", "k=a=b"]);
  let rest = FULL;
  while (isFilter(rest)) rest = filterParts(rest, CLASSES)[0]?.without ?? NO_FILTER;
  expect(rest).toEqual(NO_FILTER);
});

test("asksModel: a fair sample is one that no prediction chose", () => {
  expect(asksModel(NO_FILTER, "id")).toBe(false);
  expect(asksModel({ ...NO_FILTER, status: "unlabeled", text: "a", class_id: 3, class_role: "labeled" }, "changed")).toBe(false);
  expect(asksModel(NO_FILTER, "predicted")).toBe(true);
  expect(asksModel({ ...NO_FILTER, class_id: 3 }, "id")).toBe(true);
  expect(asksModel({ ...NO_FILTER, min_percent: 90 }, "id")).toBe(true);
});
