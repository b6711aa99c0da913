import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { ApiError, UnreachableError } from "../../src/api/errors";
import { EMPTY_ANNOTATION } from "../../src/state/annotations";
import type { Annotation, Draft } from "../../src/state/types";
import { SaveQueue, type SaveListener } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

const KEY = "unsaved";

interface Call {
  readonly image_id: number;
  readonly draft: Draft;
  readonly revision: number | null;
  readonly answer: (annotation: Annotation) => void;
  readonly fail: (error: Error) => void;
}

let calls: Call[];
let listener: { [Name in keyof SaveListener]: ReturnType<typeof vi.fn<SaveListener[Name]>> };
let storage: ReturnType<typeof memoryStorage>;

function makeQueue(): SaveQueue {
  const put = (image_id: number, draft: Draft, revision: number | null): Promise<Annotation> =>
    new Promise((answer, fail) => calls.push({ image_id, draft, revision, answer, fail }));
  return new SaveQueue(put, listener, storage, KEY);
}

function label(class_id: number | null): Draft {
  return { kind: "label", class_id };
}

function saved(revision: number, class_id: number): Annotation {
  return { ...EMPTY_ANNOTATION, revision, label: { class_id, origin: "human" } };
}

function call(index: number): Call {
  const found = calls[index];
  if (!found) throw new Error(`there were ${calls.length} calls, none with index ${index}`);
  return found;
}

/** What is kept of an image, of all tabs. */
function stored(image_id: number): string[] {
  return [...storage.map].filter(([key]) => key.startsWith(`${KEY}:${image_id}:`)).map(([, text]) => text);
}

async function flush(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  storage = memoryStorage();
  listener = { saved: vi.fn(), changed: vi.fn(), conflict: vi.fn(), rejected: vi.fn() };
});

afterEach(() => {
  vi.useRealTimers();
});

describe("SaveQueue", () => {
  test("says saved only after the server has answered", async () => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    expect(queue.status.value).toBe("saving");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(queue.status.value).toBe("saving");
    call(0).answer(saved(1, 5));
    await flush();
    expect(queue.status.value).toBe("saved");
    expect(listener.saved).toHaveBeenCalledWith(1, label(5), saved(1, 5));
  });

  test("one request in flight per image; the newest state wins, on the new revision", async () => {
    const queue = makeQueue();
    for (const class_id of [5, 6, 7]) queue.enqueue(1, label(class_id), 0);
    expect(calls).toHaveLength(1);
    call(0).answer(saved(1, 5));
    await flush();
    expect(calls.slice(1)).toMatchObject([{ draft: label(7), revision: 1 }]);
    call(1).answer(saved(2, 7));
    await flush();
    expect(calls).toHaveLength(2);
    expect(queue.status.value).toBe("saved");
  });

  test("images do not wait for each other", () => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    queue.enqueue(2, label(5), 0);
    expect(calls.map(({ image_id }) => image_id)).toEqual([1, 2]);
  });

  test("without an answer: offline, kept, sent again, saved in the end", async () => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 3);
    call(0).fail(new UnreachableError("down"));
    await flush();
    expect(queue.status.value).toBe("offline");
    await vi.advanceTimersByTimeAsync(300);
    expect(call(1)).toMatchObject({ draft: label(5), revision: 3 });
    expect(stored(1)).toEqual([expect.stringContaining('"class_id":5')]);
    call(1).fail(new ApiError(503, "Busy", "busy"));
    await vi.advanceTimersByTimeAsync(999);
    expect(calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    call(2).answer(saved(4, 5));
    await flush();
    expect(queue.status.value).toBe("saved");
    expect(storage.map.size).toBe(0);
  });

  test("retryNow: does not wait for the timer, and sends once", async () => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    call(0).fail(new UnreachableError("down"));
    await flush();
    queue.retryNow();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(calls).toHaveLength(2);
  });

  test("a conflict takes the server's state and tells, once", async () => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    call(0).fail(new ApiError(409, "ConflictError", "stale", saved(4, 6)));
    await flush();
    expect(listener.conflict).toHaveBeenCalledExactlyOnceWith(1, label(5), saved(4, 6));
    expect(queue.status.value).toBe("saved");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(calls).toHaveLength(1);
  });

  test("a conflict with what was sent is an answer that was lost: saved, and it goes on", async () => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    queue.enqueue(1, label(6), 0);
    call(0).fail(new ApiError(409, "ConflictError", "stale", saved(1, 5)));
    await flush();
    expect(listener.conflict).not.toHaveBeenCalled();
    expect(call(1)).toMatchObject({ draft: label(6), revision: 1 });
  });

  const REFUSAL = new ApiError(400, "InvalidInputError", "no class 5");

  async function refused(): Promise<SaveQueue> {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    call(0).fail(REFUSAL);
    await flush();
    return queue;
  }

  test("what the server refuses is kept and told, not sent for ever", async () => {
    const queue = await refused();
    queue.retryNow();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(listener.rejected).toHaveBeenCalledExactlyOnceWith(1, label(5), "no class 5");
    expect([calls.length, queue.status.value, queue.pending(1), stored(1).length]).toEqual([1, "refused", label(5), 1]);
    expect(queue.trouble.value?.reason).toBe("no class 5");
  });

  test("what was refused comes back in the next visit", async () => {
    await refused();
    await makeQueue().restore();
    expect(call(1)).toMatchObject({ image_id: 1, draft: label(5), revision: 0 });
  });

  test("retry: what was refused is sent again, as it was", async () => {
    const queue = await refused();
    queue.retry(1);
    expect(call(1)).toMatchObject({ draft: label(5), revision: 0 });
    call(1).answer(saved(1, 5));
    await flush();
    expect([queue.status.value, storage.map.size]).toEqual(["saved", 0]);
  });

  test("discard: what was refused is forgotten, and only that", async () => {
    const queue = await refused();
    queue.enqueue(2, label(5), 0);
    queue.discard(2);
    queue.discard(1);
    expect([queue.pending(1), queue.pending(2), stored(1)]).toEqual([null, label(5), []]);
  });

  test("what is done in place of a refused draft is sent at once", async () => {
    const queue = await refused();
    queue.enqueue(1, label(6), 0, true);
    expect(calls.slice(1)).toMatchObject([{ draft: label(6), revision: 0 }]);
  });

  test("of what waits behind a refused draft the newest is tried, and kept if it is refused too", async () => {
    const queue = makeQueue();
    for (const class_id of [5, 6, 7]) queue.enqueue(1, label(class_id), 0, true);
    call(0).fail(REFUSAL);
    await flush();
    expect(calls.slice(1)).toMatchObject([{ draft: label(7) }]);
    call(1).fail(REFUSAL);
    await flush();
    expect(listener.rejected).toHaveBeenCalledExactlyOnceWith(1, label(7), "no class 5");
    expect(queue.pending(1)).toEqual(label(7));
  });

  test("other images are saved beside a refused one, and all of them settle", async () => {
    const queue = await refused();
    queue.enqueue(2, label(5), 0);
    call(1).answer(saved(1, 5));
    await queue.settled();
    await expect(queue.settled(1)).rejects.toBe(REFUSAL);
    await expect(queue.change(1, label(5), 0, () => Promise.resolve(saved(1, 5)))).rejects.toBe(REFUSAL);
    expect(queue.status.value).toBe("refused");
  });

  test.each([401, 403, 404])("what something before the server answers is no refusal: %i", async (status) => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    call(0).fail(new ApiError(status, "HttpError", "sign in", null, false));
    await vi.advanceTimersByTimeAsync(300);
    expect(listener.rejected).not.toHaveBeenCalled();
    call(1).answer(saved(1, 5));
    await flush();
    expect(queue.status.value).toBe("saved");
  });

  test("restore: what an earlier visit could not send is sent with its revision", async () => {
    const earlier = makeQueue();
    earlier.enqueue(4, label(2), 7);
    earlier.store();
    calls = [];
    const queue = makeQueue();
    await queue.restore();
    expect(calls).toMatchObject([{ image_id: 4, draft: label(2), revision: 7 }]);
    expect(queue.pending(4)).toEqual(label(2));
    await flush();
  });

  test.each([new TypeError("terminated"), new SyntaxError("Unexpected end of JSON input"), new ApiError(500, "E", "e")])(
    "whatever is no refusal is tried again: %s",
    async (error) => {
      const queue = makeQueue();
      queue.enqueue(1, label(5), 0);
      call(0).fail(error);
      await flush();
      expect(queue.status.value).toBe("offline");
      expect(queue.pending(1)).toEqual(label(5));
      expect(listener.rejected).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(300);
      call(1).answer(saved(1, 5));
      await flush();
      expect(queue.status.value).toBe("saved");
    },
  );

  test("settled: rejects after a conflict, and nothing that waited is done", async () => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    const run = vi.fn<() => Promise<Annotation>>();
    const outcomes = Promise.allSettled([queue.change(1, label(5), 0, run), queue.settled(1)]);
    call(0).fail(new ApiError(409, "ConflictError", "stale", saved(4, 6)));
    await flush();
    expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(run).not.toHaveBeenCalled();
  });

  test("tabs leave each other's drafts alone", async () => {
    const [mine, other] = [makeQueue(), makeQueue()];
    mine.enqueue(1, label(5), 0);
    await vi.advanceTimersByTimeAsync(200);
    other.enqueue(2, label(6), 0);
    await vi.advanceTimersByTimeAsync(200);
    call(1).answer(saved(1, 6));
    await flush();
    expect([stored(1).length, stored(2).length]).toEqual([1, 0]);
  });

  test("a tab does not remove the draft that another has written for the same image since", async () => {
    const [mine, other] = [makeQueue(), makeQueue()];
    mine.enqueue(1, label(5), 0);
    await vi.advanceTimersByTimeAsync(200);
    other.enqueue(1, label(6), 0);
    await vi.advanceTimersByTimeAsync(200);
    call(0).answer(saved(1, 5));
    await flush();
    expect(stored(1)).toEqual([expect.stringContaining('"class_id":6')]);
  });

  test("while the server cannot save, one image asks; then all go in the order in which they were labelled", async () => {
    const queue = makeQueue();
    for (const image_id of [3, 1, 2]) {
      queue.enqueue(image_id, label(image_id), 0);
      if (image_id === 3) call(0).fail(new ApiError(507, "StorageFullError", "the disk is full"));
      await flush();
    }
    expect(queue.trouble.value).toEqual({ kind: "refused", reason: "the disk is full" });
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(new Set(calls.map(({ image_id }) => image_id))).toEqual(new Set([3]));
    expect(calls).toHaveLength(2);
    for (const image_id of [3, 1, 2]) {
      expect(calls.at(-1)?.image_id).toBe(image_id);
      queue.retryNow();
      calls.at(-1)?.answer(saved(1, image_id));
      await flush();
    }
    expect(calls).toHaveLength(4);
    expect([queue.status.value, queue.trouble.value]).toEqual(["saved", null]);
  });

  test("one image that the server stumbles over holds up no other", async () => {
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    call(0).fail(new ApiError(500, "InternalError", "unexpected"));
    await flush();
    queue.enqueue(2, label(5), 0);
    expect(call(1).image_id).toBe(2);
  });

  test("two tabs that were closed without a server: neither draft is lost", async () => {
    for (const class_id of [5, 6]) {
      const tab = makeQueue();
      tab.enqueue(1, label(class_id), 0);
      tab.store();
    }
    calls = [];
    const queue = makeQueue();
    await queue.restore();
    expect([calls.map(({ draft }) => draft), stored(1).length]).toEqual([[label(5)], 2]);
    call(0).answer(saved(1, 5));
    await flush();
    expect(call(1)).toMatchObject({ draft: label(6), revision: 0 });
    call(1).fail(new ApiError(409, "ConflictError", "stale", saved(1, 5)));
    await flush();
    expect(listener.conflict).toHaveBeenCalledExactlyOnceWith(1, label(6), saved(1, 5));
    expect(storage.map.size).toBe(0);
  });

  test("what does not fit goes to the larger storage, and comes back from there", async () => {
    const slow = new Map<string, string>();
    const overflow = {
      put: (key: string, text: string) => Promise.resolve(void slow.set(key, text)),
      remove: (key: string, text?: string) => Promise.resolve(text === undefined || text === slow.get(key) ? void slow.delete(key) : undefined),
      entries: () => Promise.resolve([...slow]),
    };
    const put = (): Promise<Annotation> => Promise.reject(new UnreachableError("down"));
    const full = { ...storage, length: 0, setItem: (): never => { throw new DOMException("full", "QuotaExceededError"); } }; // prettier-ignore
    const queue = new SaveQueue(put, listener, full, KEY, overflow);
    queue.enqueue(4, label(2), 7);
    queue.store();
    expect(queue.is_kept.value).toBe(false);
    await flush();
    expect([queue.is_kept.value, slow.size]).toEqual([true, 1]);
    const later = new SaveQueue((image_id, draft, revision) => new Promise((answer, fail) => calls.push({ image_id, draft, revision, answer, fail })), listener, storage, KEY, overflow);
    await later.restore();
    expect(calls).toMatchObject([{ image_id: 4, draft: label(2), revision: 7 }]);
    await flush();
    expect([slow.size, stored(4).length]).toEqual([0, 1]);
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
    const queue = new SaveQueue((image_id, draft, revision) => new Promise((answer, fail) => calls.push({ image_id, draft, revision, answer, fail })), listener, storage, KEY, overflow);
    await queue.restore();
    await flush();
    expect([...slow.keys()]).toEqual([key]);
  });

  test("with no storage at all the page can say so", async () => {
    vi.spyOn(storage, "setItem").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    call(0).fail(new UnreachableError("down"));
    await flush();
    expect(queue.is_kept.value).toBe(false);
    await vi.advanceTimersByTimeAsync(300);
    call(1).answer(saved(1, 5));
    await flush();
    expect(queue.is_kept.value).toBe(true);
  });

  test("a full storage does not get in the way", async () => {
    vi.spyOn(storage, "setItem").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    await vi.advanceTimersByTimeAsync(200);
    call(0).answer(saved(1, 5));
    await flush();
    expect(queue.status.value).toBe("saved");
  });

  test.each(["{not json", "{}", "null", "[]", '{"image_id":4,"revision":0,"draft":{"kind":"points","points":[{}]}}'])("restore: a damaged entry is nothing: %s", async (text) => {
    storage.map.set(`${KEY}:4`, text);
    await makeQueue().restore();
    expect(calls).toEqual([]);
  });

  test("a save that is answered quickly never touches the storage", async () => {
    const set = vi.spyOn(storage, "setItem");
    const queue = makeQueue();
    queue.enqueue(1, label(5), 0);
    call(0).answer(saved(1, 5));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(set).not.toHaveBeenCalled();
  });

  test("settled: waits for the last answer of the image", async () => {
    const queue = makeQueue();
    const done = vi.fn();
    queue.enqueue(1, label(5), 0);
    queue.enqueue(1, label(6), 0);
    void queue.settled(1).then(done);
    call(0).answer(saved(1, 5));
    await flush();
    expect(done).not.toHaveBeenCalled();
    call(1).answer(saved(2, 6));
    await flush();
    expect(done).toHaveBeenCalledOnce();
  });
});
