import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { ImageQuery } from "../../src/api/client";
import { Signal } from "../../src/state/signal";
import { AcceptableImages } from "../../src/sync/acceptable_images";

let asked: ImageQuery[];
let limits: number[];
let listed: Signal<ReadonlySet<number>>;
let outdated: Signal<boolean>;
let list: { listed: Signal<ReadonlySet<number>>; outdated: Signal<boolean>; is_whole: boolean };
let open: (query: ImageQuery) => number[];
let acceptable: AcceptableImages;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  limits = [];
  outdated = new Signal(false);
  listed = new Signal<ReadonlySet<number>>(new Set([1, 2, 3, 4]));
  open = () => [4, 2];
  const imageIds = (query: ImageQuery, offset: number, limit: number) => {
    asked.push(query);
    limits.push(limit);
    const ids = open(query);
    return Promise.resolve({ ids: ids.slice(offset, offset + limit), total: ids.length, label_sequence: 0 });
  };
  list = { listed, outdated, is_whole: true };
  acceptable = new AcceptableImages({ imageIds }, list);
});

afterEach(() => {
  vi.useRealTimers();
});

test("total: only images without an answer are counted, within the filter", async () => {
  acceptable.show({ q: "north", sort: "confidence" });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(acceptable.total.value).toBe(2);
  expect(asked).toEqual([{ q: "north", sort: "confidence", status: "unlabeled" }]);
  expect((await acceptable.find(5_000)).ids).toEqual([4, 2]);
});

test("total: none where the filter shows images that are labelled already", async () => {
  acceptable.show({ status: "labeled", reviewed: true });
  await vi.advanceTimersByTimeAsync(1_000);
  expect([acceptable.total.value, await acceptable.find(5), asked]).toEqual([0, { ids: [], total: 0 }, []]);
});

test("find: what matches by now but is not in the list shown is not accepted", async () => {
  acceptable.show({ status: "unlabeled", min_confidence: 0.6 });
  // Their predictions have moved since: 7 and 8 came in, 2 went out, and stands in the list still.
  open = ({ min_confidence }) => (min_confidence === undefined ? [2, 7, 8, 9] : [7, 8]);
  outdated.set(true);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([acceptable.total.value, await acceptable.find(5_000)]).toEqual([1, { ids: [2], total: 1 }]);
  listed.set(new Set());
  expect(await acceptable.find(5_000)).toEqual({ ids: [], total: 0 });
});

test("find: in a session with more unlabelled images than one change takes, those that match", async () => {
  acceptable.show({ min_confidence: 0.6 });
  open = ({ min_confidence }) => (min_confidence === undefined ? [1, 2, 3, 9] : [3, 9]);
  expect(await acceptable.find(2)).toEqual({ ids: [3], total: 1 });
  open = () => [1, 2, 3];
  expect(await acceptable.find(2)).toEqual({ ids: [], total: 3 });
});

test("total, find: of a list that is not all here, the rest counts, and is found: nobody saw it yet", async () => {
  list.is_whole = false;
  open = () => [4, 2, 7, 8];
  acceptable.show({ q: "north" });
  await vi.advanceTimersByTimeAsync(1_000);
  expect([acceptable.total.value, limits]).toEqual([4, [1]]);
  expect(await acceptable.find(5_000)).toEqual({ ids: [4, 2, 7, 8], total: 4 });
});
