import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { ApiError, UnreachableError } from "../../src/api/errors";
import { EMPTY_ANNOTATION } from "../../src/state/annotations";
import type { Annotation, Draft } from "../../src/state/types";
import type { SaveQueue } from "../../src/sync/save_queue";
import { flush, label, saved, SaveRig } from "./save_rig";

let rig: SaveRig;

beforeEach(() => {
  vi.useFakeTimers();
  rig = new SaveRig();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("SaveQueue", () => {
  test("says saved only after the server has answered", async () => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    expect(queue.status.value).toBe("saving");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(queue.status.value).toBe("saving");
    rig.call(0).answer(saved(1, 5));
    await flush();
    expect(queue.status.value).toBe("saved");
    expect(rig.listener.saved).toHaveBeenCalledWith(1, label(5), saved(1, 5));
  });

  test("one request in flight per image; the newest state wins, on the new revision", async () => {
    const queue = rig.queue();
    for (const class_id of [5, 6, 7]) queue.enqueue(1, label(class_id), 0);
    expect(rig.calls).toHaveLength(1);
    rig.call(0).answer(saved(1, 5));
    await flush();
    expect(rig.calls.slice(1)).toMatchObject([{ draft: label(7), revision: 1 }]);
    rig.call(1).answer(saved(2, 7));
    await flush();
    expect(rig.calls).toHaveLength(2);
    expect(queue.status.value).toBe("saved");
  });

  test("images do not wait for each other", () => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    queue.enqueue(2, label(5), 0);
    expect(rig.calls.map(({ image_id }) => image_id)).toEqual([1, 2]);
  });

  test("without an answer: offline, kept, sent again, saved in the end", async () => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 3);
    rig.call(0).fail(new UnreachableError("down"));
    await flush();
    expect(queue.status.value).toBe("offline");
    await vi.advanceTimersByTimeAsync(300);
    expect(rig.call(1)).toMatchObject({ draft: label(5), revision: 3 });
    expect(rig.stored(1)).toEqual([expect.stringContaining('"class_id":5')]);
    rig.call(1).fail(new ApiError(503, "Busy", "busy"));
    await vi.advanceTimersByTimeAsync(999);
    expect(rig.calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    rig.call(2).answer(saved(4, 5));
    await flush();
    expect(queue.status.value).toBe("saved");
    expect(rig.storage.map.size).toBe(0);
  });

  test("retryNow: does not wait for the timer, and sends once", async () => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    rig.call(0).fail(new UnreachableError("down"));
    await flush();
    queue.retryNow();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(rig.calls).toHaveLength(2);
  });

  test("a conflict takes the server's state and tells, once", async () => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    rig.call(0).fail(new ApiError(409, "ConflictError", "stale", saved(4, 6)));
    await flush();
    expect(rig.listener.conflict).toHaveBeenCalledExactlyOnceWith(1, label(5), saved(4, 6));
    expect(queue.status.value).toBe("saved");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(rig.calls).toHaveLength(1);
  });

  test("a conflict with what was sent is an answer that was lost: saved, and it goes on", async () => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    queue.enqueue(1, label(6), 0);
    rig.call(0).fail(new ApiError(409, "ConflictError", "stale", saved(1, 5)));
    await flush();
    expect(rig.listener.conflict).not.toHaveBeenCalled();
    expect(rig.call(1)).toMatchObject({ draft: label(6), revision: 1 });
  });

  const REFUSAL = new ApiError(400, "InvalidInputError", "no class 5");

  async function refused(): Promise<SaveQueue> {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    rig.call(0).fail(REFUSAL);
    await flush();
    return queue;
  }

  test("a conflict with what the first step says is its answer, though more was done since: the steps behind it go on", async () => {
    const queue = rig.queue();
    queue.enqueue(1, label(4), 0, true);
    queue.enqueue(1, label(5), 0, true);
    rig.call(0).fail(new ApiError(409, "ConflictError", "stale", saved(3, 4)));
    await flush();
    expect(rig.calls.map(({ draft, revision }) => [draft, revision])).toEqual([[label(4), 0], [label(5), 3]]);
    expect(rig.listener.conflict).not.toHaveBeenCalled();
  });

  test("steps behind an undo that led elsewhere are brought over to its answer", async () => {
    const points = (...xs: number[]): Extract<Draft, { kind: "points" }> => ({
      kind: "points", points: xs.map((x) => ({ id: null, x, y: 0, class_id: 1, origin: "human" })),
    }); // prettier-ignore
    const at = (revision: number, ...xs: number[]): Annotation => ({ ...EMPTY_ANNOTATION, revision, points: points(...xs).points });
    const queue = rig.queue();
    queue.resume(1, [
      { kind: "save", draft: points(1), is_step: true, travel: "undo" },
      { kind: "save", draft: points(1, 3), is_step: true },
    ], { states: [at(4, 1), at(5, 1, 2)], at: 1, revision: 5 }); // prettier-ignore
    rig.call(0).answer(at(6, 9));
    await flush();
    expect(rig.listener.changed).toHaveBeenCalledWith(1, at(6, 9), expect.objectContaining(points(9, 3)));
    expect([rig.calls.length, rig.call(1).draft, rig.call(1).revision]).toEqual([2, expect.objectContaining(points(9, 3)), 6]);
  });

  test("what the server refuses is kept and told, not sent for ever", async () => {
    const queue = await refused();
    queue.retryNow();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(rig.listener.rejected).toHaveBeenCalledExactlyOnceWith(1, label(5), "no class 5");
    expect([rig.calls.length, queue.status.value, queue.pending(1), rig.stored(1).length]).toEqual([1, "refused", label(5), 1]);
    expect(queue.trouble.value?.reason).toBe("no class 5");
  });

  test("what was refused comes back in the next visit", async () => {
    await refused();
    await rig.queue().restore();
    expect(rig.call(1)).toMatchObject({ image_id: 1, draft: label(5), revision: 0 });
  });

  test("retry: what was refused is sent again, as it was", async () => {
    const queue = await refused();
    queue.retry(1);
    expect(rig.call(1)).toMatchObject({ draft: label(5), revision: 0 });
    rig.call(1).answer(saved(1, 5));
    await flush();
    expect([queue.status.value, rig.storage.map.size]).toEqual(["saved", 0]);
  });

  test("discard: what was refused is forgotten, and only that", async () => {
    const queue = await refused();
    queue.enqueue(2, label(5), 0);
    queue.discard(2);
    queue.discard(1);
    expect([queue.pending(1), queue.pending(2), rig.stored(1)]).toEqual([null, label(5), []]);
  });

  test("what is done in place of a refused draft is sent at once", async () => {
    const queue = await refused();
    queue.enqueue(1, label(6), 0, true);
    expect(rig.calls.slice(1)).toMatchObject([{ draft: label(6), revision: 0 }]);
  });

  test("of what waits behind a refused draft the newest is tried, and kept if it is refused too", async () => {
    const queue = rig.queue();
    for (const class_id of [5, 6, 7]) queue.enqueue(1, label(class_id), 0, true);
    rig.call(0).fail(REFUSAL);
    await flush();
    expect(rig.calls.slice(1)).toMatchObject([{ draft: label(7) }]);
    rig.call(1).fail(REFUSAL);
    await flush();
    expect(rig.listener.rejected).toHaveBeenCalledExactlyOnceWith(1, label(7), "no class 5");
    expect(queue.pending(1)).toEqual(label(7));
  });

  test("other images are saved beside a refused one, and all of them settle", async () => {
    const queue = await refused();
    queue.enqueue(2, label(5), 0);
    rig.call(1).answer(saved(1, 5));
    await queue.settled();
    await expect(queue.settled(1)).rejects.toBe(REFUSAL);
    await expect(queue.change(1, label(5), 0, () => Promise.resolve(saved(1, 5)))).rejects.toBe(REFUSAL);
    expect(queue.status.value).toBe("refused");
  });

  test.each([401, 403, 404])("what something before the server answers is no refusal: %i", async (status) => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    rig.call(0).fail(new ApiError(status, "HttpError", "sign in", null, false));
    await vi.advanceTimersByTimeAsync(300);
    expect(rig.listener.rejected).not.toHaveBeenCalled();
    rig.call(1).answer(saved(1, 5));
    await flush();
    expect(queue.status.value).toBe("saved");
  });

  test.each([new TypeError("terminated"), new SyntaxError("Unexpected end of JSON input"), new ApiError(500, "E", "e")])(
    "whatever is no refusal is tried again: %s",
    async (error) => {
      const queue = rig.queue();
      queue.enqueue(1, label(5), 0);
      rig.call(0).fail(error);
      await flush();
      expect(queue.status.value).toBe("offline");
      expect(queue.pending(1)).toEqual(label(5));
      expect(rig.listener.rejected).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(300);
      rig.call(1).answer(saved(1, 5));
      await flush();
      expect(queue.status.value).toBe("saved");
    },
  );

  test("settled: rejects after a conflict, and nothing that waited is done", async () => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    const run = vi.fn<() => Promise<Annotation>>();
    const outcomes = Promise.allSettled([queue.change(1, label(5), 0, run), queue.settled(1)]);
    rig.call(0).fail(new ApiError(409, "ConflictError", "stale", saved(4, 6)));
    await flush();
    expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(run).not.toHaveBeenCalled();
  });

  test("while the server cannot save, one image asks; then all go in the order in which they were labelled", async () => {
    const queue = rig.queue();
    for (const image_id of [3, 1, 2]) {
      queue.enqueue(image_id, label(image_id), 0);
      if (image_id === 3) rig.call(0).fail(new ApiError(507, "StorageFullError", "the disk is full"));
      await flush();
    }
    expect(queue.trouble.value).toEqual({ kind: "refused", reason: "the disk is full" });
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(new Set(rig.calls.map(({ image_id }) => image_id))).toEqual(new Set([3]));
    expect(rig.calls).toHaveLength(2);
    for (const image_id of [3, 1, 2]) {
      expect(rig.calls.at(-1)?.image_id).toBe(image_id);
      queue.retryNow();
      rig.calls.at(-1)?.answer(saved(1, image_id));
      await flush();
    }
    expect(rig.calls).toHaveLength(4);
    expect([queue.status.value, queue.trouble.value]).toEqual(["saved", null]);
  });

  test("one image that the server stumbles over holds up no other", async () => {
    const queue = rig.queue();
    queue.enqueue(1, label(5), 0);
    rig.call(0).fail(new ApiError(500, "InternalError", "unexpected"));
    await flush();
    queue.enqueue(2, label(5), 0);
    expect(rig.call(1).image_id).toBe(2);
  });

  test("settled: waits for the last answer of the image", async () => {
    const queue = rig.queue();
    const done = vi.fn();
    queue.enqueue(1, label(5), 0);
    queue.enqueue(1, label(6), 0);
    void queue.settled(1).then(done);
    rig.call(0).answer(saved(1, 5));
    await flush();
    expect(done).not.toHaveBeenCalled();
    rig.call(1).answer(saved(2, 6));
    await flush();
    expect(done).toHaveBeenCalledOnce();
  });
});
