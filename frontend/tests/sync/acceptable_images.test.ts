import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Api, ImageQuery } from "../../src/api/client";
import { Signal } from "../../src/state/signal";
import { GallerySource, type GalleryState } from "../../src/sync/gallery_source";
import { AcceptableImages } from "../../src/sync/acceptable_images";

let asked: ImageQuery[];
let limits: number[];
let listed: Signal<ReadonlySet<number>>;
let outdated: Signal<boolean>;
let list: {
  listed: Signal<ReadonlySet<number>>; outdated: Signal<boolean>; state: Signal<GalleryState>; is_whole: boolean; complete: () => Promise<boolean>;
}; // prettier-ignore
/** What a list that is not whole gets once it is asked for; null: it cannot be had. */
let rest: readonly number[] | null;
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
  rest = null;
  list = {
    listed, outdated, state: new Signal<GalleryState>({ total: 4, loading: false, error: null, version: 1 }), is_whole: true,
    complete: () => {
      if (!list.is_whole && rest !== null) {
        listed.set(new Set([...listed.value, ...rest]));
        list.is_whole = true;
      }
      return Promise.resolve(list.is_whole);
    },
  }; // prettier-ignore
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

test.each<[string, ImageQuery]>([
  ["a confidence", { min_confidence: 0.9 }],
  ["a predicted class", { predicted_class_id: 3 }],
  ["a class shown, and a name", { q: "north", shown_class_id: 3 }],
])("find: of a list by %s that is not all here, the rest is fetched, and no other image is accepted", async (_, query) => {
  list.is_whole = false;
  rest = [7, 8];
  // 50 and 51 are unlabelled, and the filter does not let them pass.
  const moves = ({ min_confidence, predicted_class_id, shown_class_id }: ImageQuery) => min_confidence ?? predicted_class_id ?? shown_class_id;
  open = (asked_for) => (moves(asked_for) === undefined ? [4, 2, 7, 8, 50, 51] : [4, 2, 7, 8]);
  acceptable.show(query);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([acceptable.total.value, limits]).toEqual([4, [1]]);
  expect(await acceptable.find(5_000)).toEqual({ ids: [4, 2, 7, 8], total: 4 });
});

test("find: nothing while the list loads, and nothing of one that could not be had", async () => {
  acceptable.show({ min_confidence: 0.9 });
  list.is_whole = false;
  list.state.set({ ...list.state.value, loading: true });
  const [loading, asked_meanwhile] = [await acceptable.find(5_000), asked.length];
  list.state.set({ ...list.state.value, loading: false, error: "unreachable" });
  const failed = await acceptable.find(5_000);
  expect([loading.ids, loading.total, asked_meanwhile, failed.ids, failed.total]).toEqual([[], null, 0, [], null]);
  expect([loading.refusal, failed.refusal]).toEqual([expect.stringContaining("still loading"), expect.stringContaining("could be loaded")]);
});

test("find: nothing once another list was asked for meanwhile", async () => {
  acceptable.show({ min_confidence: 0.9 });
  const finding = acceptable.find(5_000);
  acceptable.show({ min_confidence: 0.5 });
  expect(await finding).toMatchObject({ ids: [], total: null });
});

test("total: no number where only the ids of a list that is not all here could tell it", async () => {
  acceptable.show({ min_confidence: 0.9 });
  list.is_whole = false;
  outdated.set(true);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([acceptable.total.value, asked]).toEqual([null, []]);
});

test.each<[string, ImageQuery]>([["confidence", { min_confidence: 0.9 }], ["predicted class", { predicted_class_id: 3 }]])(
  "total, find: of 12,000 images, 4,500 of them unlabelled, those that a filter by %s shows, as many as are counted", async (_, query) => {
    const all = Array.from({ length: 12_000 }, (_, place) => place + 1);
    const isListed = (id: number): boolean => id % 2 === 0;
    const isUnlabelled = (id: number): boolean => id > 7_500;
    const imageIds = ({ status, ...filter }: ImageQuery, offset: number, limit: number) => {
      const is_filtered = Object.keys(filter).length > 0;
      const ids = all.filter((id) => (!is_filtered || isListed(id)) && (status === undefined || isUnlabelled(id)));
      return Promise.resolve({ ids: ids.slice(offset, offset + limit), total: ids.length, label_sequence: 0 });
    };
    const gallery = new GallerySource({ imageIds } as unknown as Api);
    const found = new AcceptableImages({ imageIds }, gallery);
    found.show(query);
    await gallery.show(query);
    await vi.advanceTimersByTimeAsync(1_000);
    const { ids, total } = await found.find(5_000);
    expect([gallery.state.value.total, found.total.value, total, ids.length, ids.every(isListed)]).toEqual([6_000, 2_250, 2_250, 2_250, true]);
  },
);
