import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { ImageQuery } from "../../src/api/client";
import { AcceptableImages } from "../../src/sync/acceptable_images";

let asked: ImageQuery[];
let acceptable: AcceptableImages;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  acceptable = new AcceptableImages({
    imageIds: (query: ImageQuery) => {
      asked.push(query);
      return Promise.resolve({ ids: [4, 2], total: 2, label_sequence: 0 });
    },
  });
});

afterEach(() => {
  vi.useRealTimers();
});

test("total: only images without an answer are counted, within the filter", async () => {
  acceptable.show({ shown_class_id: 3, sort: "confidence" });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(acceptable.total.value).toBe(2);
  expect(asked).toEqual([{ shown_class_id: 3, sort: "confidence", status: "unlabeled" }]);
  expect((await acceptable.find(5_000)).ids).toEqual([4, 2]);
});

test("total: none where the filter shows images that are labelled already", async () => {
  acceptable.show({ status: "labeled", reviewed: true });
  await vi.advanceTimersByTimeAsync(1_000);
  expect([acceptable.total.value, await acceptable.find(5), asked]).toEqual([0, { ids: [], total: 0 }, []]);
});
