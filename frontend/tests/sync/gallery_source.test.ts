import { beforeEach, describe, expect, test, vi } from "vitest";

import type { Api, ImageQuery } from "../../src/api/client";
import type { ImageInfo } from "../../src/state/types";
import { GallerySource } from "../../src/sync/gallery_source";

const TOTAL = 12_000;
let order: number[];
let asked: { ids: number[]; signal: AbortSignal | undefined; answer: () => void }[];
let portions: number[];
let revision: number;

function imageOf(id: number): ImageInfo {
  return { id, path: `${id}.png`, revision, predicted_class_id: null as number | null } as ImageInfo;
}

function source(answers_at_once = true): GallerySource {
  const api = {
    imageIds: (_query: ImageQuery, offset: number, limit: number) => {
      portions.push(offset);
      return Promise.resolve({ ids: order.slice(offset, offset + limit), total: TOTAL, label_sequence: 40 + portions.length });
    },
    images: ({ ids = [] }: ImageQuery, signal?: AbortSignal) =>
      new Promise((resolve, reject) => {
        const answer = (): void => resolve({ items: ids.map(imageOf), next_cursor: null, total: null });
        signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
        asked.push({ ids, signal, answer });
        if (answers_at_once) answer();
      }),
  };
  return new GallerySource(api as unknown as Api);
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

beforeEach(() => {
  vi.useRealTimers();
  order = Array.from({ length: TOTAL }, (_, place) => TOTAL - place);
  asked = [];
  portions = [];
  revision = 1;
});

describe("GallerySource", () => {
  test("fetches pages of what is in sight, once", async () => {
    const gallery = source();
    await gallery.show({});
    expect([gallery.state.value.total, gallery.idAt(0), gallery.idAt(5_000)]).toEqual([TOTAL, TOTAL, null]);
    gallery.need(150, 230);
    gallery.need(150, 230);
    await soon();
    expect(asked.map(({ ids }) => [ids[0], ids.length])).toEqual([[TOTAL - 100, 100], [TOTAL - 200, 100]]);
    expect(gallery.image(gallery.idAt(150) ?? 0)?.id).toBe(TOTAL - 150);
    gallery.need(150, 230);
    expect(asked).toHaveLength(2);
  });

  test("is_whole: once all portions of the ids are there", async () => {
    const gallery = source();
    expect(gallery.is_whole).toBe(false);
    await gallery.show({});
    expect(gallery.is_whole).toBe(false);
    await gallery.idsIn(0, TOTAL - 1);
    expect(gallery.is_whole).toBe(true);
    void gallery.reload();
    expect(gallery.is_whole).toBe(false);
  });

  test("of images that were never in sight it knows when the list was asked for", async () => {
    const gallery = source();
    await gallery.show({});
    await gallery.idsIn(0, TOTAL - 1);
    expect(portions).toHaveLength(3);
    expect(gallery.seen(1)).toEqual({ id: 1, label_sequence: 41 });
    await gallery.reload();
    expect(gallery.seen(1)).toEqual({ id: 1, label_sequence: 44 });
  });

  test("complete: the portions that are missing are fetched; nothing of a list that has not come", async () => {
    const gallery = source();
    expect([await gallery.complete(), portions]).toEqual([false, []]);
    const showing = gallery.show({});
    expect(await gallery.complete()).toBe(false);
    await showing;
    expect([await gallery.complete(), portions, gallery.listed.value.size]).toEqual([true, [0, 5_000, 10_000], TOTAL]);
  });

  test("seen: a prediction counts as seen in the list that is shown; what was changed since it was ever seen is known", async () => {
    const gallery = source();
    await gallery.show({ min_confidence: 0.5 });
    gallery.need(0, 5);
    await soon();
    const id = gallery.idAt(0) ?? 0;
    expect(gallery.seen(id)).toEqual({ id, revision: 1, version: 0 });
    await gallery.show({ min_confidence: 0.9 });
    expect(gallery.seen(id)).toEqual({ id, revision: 1 });
    gallery.need(0, 5);
    await soon();
    expect(gallery.seen(id)).toEqual({ id, revision: 1, version: 0 });
  });

  test("cancels what was scrolled by", async () => {
    const gallery = source(false);
    await gallery.show({});
    gallery.need(0, 50);
    gallery.need(400, 450);
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([true, false]);
    await soon();
    expect(gallery.state.value.error).toBeNull();
  });

  test("jumps far without what lies between", async () => {
    const gallery = source();
    await gallery.show({});
    gallery.need(11_000, 11_050);
    await soon();
    expect(portions).toEqual([0, 10_000]);
    gallery.need(11_000, 11_050);
    await soon();
    expect(asked).toHaveLength(1);
  });

  test("keeps a bounded part in memory", async () => {
    const gallery = source();
    await gallery.show({});
    for (let place = 0; place < 5_000; place += 100) {
      gallery.need(place, place + 99);
      await soon();
    }
    const kept = order.slice(0, 5_000).filter((id) => gallery.image(id) !== null);
    expect(kept).toHaveLength(3_000);
    expect(gallery.image(gallery.idAt(4_999) ?? 0)).not.toBeNull();
  });

  test("a change renews the image where it stands", async () => {
    vi.useFakeTimers();
    const gallery = source();
    await gallery.show({});
    gallery.need(0, 50);
    await vi.advanceTimersByTimeAsync(1);
    order = [...order].reverse();
    gallery.hear([TOTAL - 3, 5]);
    await vi.advanceTimersByTimeAsync(400);
    expect(asked.at(-1)?.ids).toEqual([TOTAL - 3]);
    expect(gallery.idAt(0)).toBe(TOTAL);
    await gallery.reload();
    expect(gallery.idAt(0)).toBe(1);
  });

  test("while it is closed nothing is fetched; what changed meanwhile is renewed when it opens", async () => {
    vi.useFakeTimers();
    const gallery = source();
    await gallery.show({});
    gallery.need(0, 50);
    await vi.advanceTimersByTimeAsync(1);
    gallery.setOpen(false);
    gallery.hear([TOTAL]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toHaveLength(1);
    gallery.setOpen(true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked.map(({ ids }) => ids.length)).toEqual([100, 1]);
  });

  test("ids of a range that nobody has seen", async () => {
    const gallery = source();
    await gallery.show({});
    const ids = await gallery.idsIn(4_990, 5_009);
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([20, TOTAL - 4_990, TOTAL - 5_009]);
  });

  test("what was seen stays known out of sight, whoever changes it, and follows what is done here", async () => {
    const gallery = source();
    await gallery.show({});
    gallery.need(0, 9);
    await soon();
    const [id] = order as [number];
    expect(gallery.seen(id)).toEqual({ id, revision: 1, version: 0 });
    gallery.need(5_000, 5_009);
    revision = 2;
    vi.useFakeTimers();
    gallery.hear([id]);
    await vi.advanceTimersByTimeAsync(1_000);
    vi.useRealTimers();
    expect(gallery.image(id)).toBeNull();
    expect(gallery.seen(id).revision).toBe(1);
    gallery.changedHere([{ id, revision: 4 }, { id: 1, revision: 1 }]);
    expect(gallery.seen(id)).toEqual({ id, revision: 4, version: 0 });
    expect(gallery.seen(1)).toEqual({ id: 1, revision: 1 });
    // An answer that was made before the change.
    gallery.need(0, 9);
    await soon();
    expect(gallery.seen(id).revision).toBe(4);
    await gallery.show({ status: "labeled" });
    expect(gallery.seen(id).revision).toBe(4);
  });
});

describe("outdated", () => {
  test.each([
    [{ status: "unlabeled" }, "label", true],
    [{ status: "unlabeled" }, "prediction", false],
    [{ min_confidence: 0.6 }, "prediction", true],
    [{ sort: "confidence" }, "prediction", false],
    [{ q: "blurred" }, "comment", true],
  ] as const)("with %o after a %s: %s", async (query, news, is_outdated) => {
    const gallery = source();
    await gallery.show(query);
    gallery.hear([1], news);
    expect(gallery.outdated.value).toBe(is_outdated);
    await gallery.reload();
    expect([gallery.outdated.value, gallery.listed.value.size]).toEqual([false, 5_000]);
  });
});
