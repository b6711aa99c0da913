import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { ApiError, UnreachableError } from "../../src/api/errors";
import type { Annotation, Draft, Point } from "../../src/state/types";
import type { SlowStorage } from "../../src/sync/draft_storage";
import { SaveQueue } from "../../src/sync/save_queue";
import { flush, KEY, label, saved, SaveRig } from "./save_rig";

const POINTS: readonly Point[] = [1, 2, 3, 4].map((x) => ({ id: null, x, y: x, class_id: 1, origin: "human" }));
let rig: SaveRig;

function overflowOf(slow: Map<string, string>): SlowStorage {
  return {
    put: (key, text) => Promise.resolve(void slow.set(key, text)),
    remove: (key, text) => Promise.resolve(text === undefined || text === slow.get(key) ? void slow.delete(key) : undefined),
    entries: () => Promise.resolve([...slow]),
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  rig = new SaveRig();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("what a SaveQueue keeps over a reload", () => {
  test("restore: what an earlier visit could not send is sent with its revision", async () => {
    const earlier = rig.queue();
    earlier.enqueue(4, label(2), 7);
    earlier.store();
    rig.calls.length = 0;
    const queue = rig.queue();
    await queue.restore();
    expect(rig.calls).toMatchObject([{ image_id: 4, draft: label(2), revision: 7 }]);
    expect(queue.pending(4)).toEqual(label(2));
    await flush();
  });

  test("tabs leave each other's drafts alone", async () => {
    const [mine, other] = [rig.queue(), rig.queue()];
    mine.enqueue(1, label(5), 0);
    await vi.advanceTimersByTimeAsync(200);
    other.enqueue(2, label(6), 0);
    await vi.advanceTimersByTimeAsync(200);
    rig.call(1).answer(saved(1, 6));
    await flush();
    expect([rig.stored(1).length, rig.stored(2).length]).toEqual([1, 0]);
  });

  test("a tab does not remove the draft that another has written for the same image since", async () => {
    const [mine, other] = [rig.queue(), rig.queue()];
    mine.enqueue(1, label(5), 0);
    await vi.advanceTimersByTimeAsync(200);
    other.enqueue(1, label(6), 0);
    await vi.advanceTimersByTimeAsync(200);
    rig.call(0).answer(saved(1, 5));
    await flush();
    expect(rig.stored(1)).toEqual([expect.stringContaining('"class_id":6')]);
  });

  test("two tabs that were closed without a server: neither draft is lost", async () => {
    for (const class_id of [5, 6]) {
      const tab = rig.queue();
      tab.enqueue(1, label(class_id), 0);
      tab.store();
    }
    rig.calls.length = 0;
    const queue = rig.queue();
    await queue.restore();
    expect([rig.calls.map(({ draft }) => draft), rig.stored(1).length]).toEqual([[label(5)], 2]);
    rig.call(0).answer(saved(1, 5));
    await flush();
    expect(rig.call(1)).toMatchObject({ draft: label(6), revision: 0 });
    rig.call(1).fail(new ApiError(409, "ConflictError", "stale", saved(1, 5)));
    await flush();
    expect(rig.listener.conflict).toHaveBeenCalledExactlyOnceWith(1, label(6), saved(1, 5));
    expect(rig.storage.map.size).toBe(0);
  });

  test("what does not fit goes to the larger storage, and comes back from there", async () => {
    const slow = new Map<string, string>();
    const overflow = overflowOf(slow);
    const put = (): Promise<Annotation> => Promise.reject(new UnreachableError("down"));
    const full = { ...rig.storage, length: 0, setItem: (): never => { throw new DOMException("full", "QuotaExceededError"); } }; // prettier-ignore
    const queue = new SaveQueue(put, rig.listener, full, KEY, overflow);
    queue.enqueue(4, label(2), 7);
    queue.store();
    expect(queue.is_kept.value).toBe(false);
    await flush();
    expect([queue.is_kept.value, slow.size]).toEqual([true, 1]);
    const later = rig.queue(overflow);
    await later.restore();
    expect(rig.calls).toMatchObject([{ image_id: 4, draft: label(2), revision: 7 }]);
    await flush();
    // In both, and of the later visit alone.
    expect([...slow.values()]).toEqual(rig.stored(4));
  });

  test("a draft that another tab wrote anew in the larger storage is not removed", async () => {
    const [key, old] = [`${KEY}:4:other`, JSON.stringify({ image_id: 4, revision: 7, draft: label(2) })];
    const slow = new Map([[key, old]]);
    const overflow = {
      put: (at: string, text: string) => Promise.resolve(void slow.set(at, text)),
      remove: (at: string, text?: string) => Promise.resolve(text === undefined || text === slow.get(at) ? void slow.delete(at) : undefined),
      entries: () => {
        const found = [...slow];
        slow.set(key, old.replace("7", "8"));
        return Promise.resolve(found);
      },
    };
    const queue = rig.queue(overflow);
    await queue.restore();
    await flush();
    expect([...slow.keys()]).toContain(key);
  });

  test.each(["local", "slow"])("a browser killed in the midst of a series offline: the %s storage alone has all of it", async (which) => {
    const points = (count: number): Draft => ({ kind: "points", points: POINTS.slice(0, count) });
    const slow = new Map<string, string>();
    const queue = rig.queue(overflowOf(slow));
    queue.enqueue(1, points(2), 7);
    rig.call(0).fail(new UnreachableError("down"));
    await flush();
    queue.enqueue(2, label(1), 0);
    queue.enqueue(2, label(2), 0);
    for (const count of [3, 4]) queue.enqueue(1, points(count), 7);
    queue.enqueue(1, { kind: "points", points: POINTS.slice(1, 4) }, 7);
    expect(rig.stored(1).map((text) => text.includes('"change"'))).toEqual([false, true]);
    if (which === "local") slow.clear();
    else rig.storage.map.clear();
    rig.calls.length = 0;
    const later = rig.queue(overflowOf(slow));
    await later.restore();
    expect(later.pending(1)).toEqual({ kind: "points", points: POINTS.slice(1, 4) });
    expect(later.pending(2)).toEqual(label(2));
    expect(rig.calls[0]).toMatchObject({ image_id: 1, revision: 7 });
  });

  test("a change of another text than the one that is there is nothing", async () => {
    const key = `${KEY}:4:other`;
    rig.storage.map.set(key, JSON.stringify({ image_id: 4, revision: 7, draft: label(2), at: 3 }));
    rig.storage.map.set(`${key}+`, JSON.stringify({ image_id: 4, revision: 7, change: { draft: label(9) }, since: 1, at: 2 }));
    const queue = rig.queue();
    await queue.restore();
    expect(queue.pending(4)).toEqual(label(2));
    expect([...rig.storage.map.keys()].filter((name) => name.includes("other"))).toEqual([]);
  });

  test("a change whose whole text is nowhere is removed, but not while the larger storage cannot be read", async () => {
    const key = `${KEY}:4:other+`;
    const change = { points: { from: 0, removed: 0, inserted: [] } };
    rig.storage.map.set(key, JSON.stringify({ image_id: 4, revision: 7, change, since: 1, at: 2 }));
    await rig.queue({ ...overflowOf(new Map()), entries: () => Promise.resolve(null) }).restore();
    expect([...rig.storage.map.keys()]).toEqual([key]);
    await rig.queue(overflowOf(new Map())).restore();
    expect([...rig.storage.map.keys()]).toEqual([]);
    expect(rig.calls).toEqual([]);
  });

  test.each(["before", "after"])("a click %s another tab has taken over is not lost with its tab", async (when) => {
    const points = (count: number): Draft => ({ kind: "points", points: POINTS.slice(0, count) });
    const mine = rig.queue();
    mine.enqueue(1, points(2), 7);
    rig.call(0).fail(new UnreachableError("down"));
    await flush();
    const click = (): void => mine.enqueue(1, points(3), 7);
    const slow = overflowOf(new Map());
    const entries: SlowStorage["entries"] = (prefix) => {
      if (when === "before") click();
      return slow.entries(prefix);
    };
    const other = rig.queue({ ...slow, entries });
    await other.restore();
    const sent = rig.calls.length - 1;
    if (when === "after") click();
    // The first tab dies now; the other one's work is done.
    rig.call(sent).answer({ ...saved(8, 1), label: null, points: POINTS.slice(0, 2) });
    await flush();
    const later = rig.queue();
    await later.restore();
    expect(later.pending(1)).toEqual(points(3));
  });

  test("of two storages the one that was written last counts", async () => {
    const text = (class_id: number, at: number): string => JSON.stringify({ image_id: 4, revision: 7, draft: label(class_id), at });
    rig.storage.map.set(`${KEY}:4:other`, text(1, 1));
    const queue = rig.queue(overflowOf(new Map([[`${KEY}:4:other`, text(2, 5)]])));
    await queue.restore();
    expect(queue.pending(4)).toEqual(label(2));
  });

  test("with no storage at all the page can say so", async () => {
    vi.spyOn(rig.storage, "setItem").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    rig.call(0).fail(new UnreachableError("down"));
    await flush();
    expect(queue.is_kept.value).toBe(false);
    await vi.advanceTimersByTimeAsync(300);
    rig.call(1).answer(saved(1, 5));
    await flush();
    expect(queue.is_kept.value).toBe(true);
  });

  test("what was taken over stays where it was until there is room for it", async () => {
    const key = `${KEY}:4:other`;
    rig.storage.map.set(key, JSON.stringify({ image_id: 4, revision: 7, draft: label(2), at: 1 }));
    const set = vi.spyOn(rig.storage, "setItem").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    const queue = rig.queue();
    await queue.restore();
    queue.store();
    expect([queue.is_kept.value, [...rig.storage.map.keys()]]).toEqual([false, [key]]);
    set.mockRestore();
    queue.store();
    expect([queue.is_kept.value, rig.stored(4).length, rig.storage.map.has(key)]).toEqual([true, 1, false]);
    await flush();
  });

  test("what was taken over is kept nowhere any more once the server has it", async () => {
    rig.storage.map.set(`${KEY}:4:other`, JSON.stringify({ image_id: 4, revision: 7, draft: label(2), at: 1 }));
    vi.spyOn(rig.storage, "setItem").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    const queue = rig.queue();
    await queue.restore();
    expect(rig.storage.map.size).toBe(1);
    rig.call(0).answer(saved(8, 2));
    await flush();
    expect([queue.is_kept.value, rig.storage.map.size]).toEqual([true, 0]);
  });

  test("a full storage does not get in the way", async () => {
    vi.spyOn(rig.storage, "setItem").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    await vi.advanceTimersByTimeAsync(200);
    rig.call(0).answer(saved(1, 5));
    await flush();
    expect(queue.status.value).toBe("saved");
  });

  test.each(["{not json", "{}", "null", "[]", '{"image_id":4,"revision":0,"draft":{"kind":"points","points":[{}]}}'])("restore: a damaged entry is nothing: %s", async (text) => {
    rig.storage.map.set(`${KEY}:4`, text);
    await rig.queue().restore();
    expect(rig.calls).toEqual([]);
  });

  test("a save that is answered quickly never touches the storage", async () => {
    const set = vi.spyOn(rig.storage, "setItem");
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    rig.call(0).answer(saved(1, 5));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(set).not.toHaveBeenCalled();
  });
});
