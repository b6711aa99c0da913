import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { ApiError, UnreachableError } from "../../src/api/errors";
import type { ImageComment } from "../../src/state/types";
import { CommentSaves, type CommentListener } from "../../src/sync/comments";
import { memoryStorage } from "../memory_storage";

interface Call {
  readonly args: readonly [number, string, number | null];
  readonly answer: (comment: ImageComment) => void;
  readonly fail: (error: Error) => void;
}

let calls: Call[];
let storage: ReturnType<typeof memoryStorage>;
let listener: { [Name in keyof CommentListener]: ReturnType<typeof vi.fn<CommentListener[Name]>> };

beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  storage = memoryStorage();
  listener = { saved: vi.fn(), conflict: vi.fn(), rejected: vi.fn() };
});
afterEach(() => void vi.useRealTimers());

function makeSaves(): CommentSaves {
  return new CommentSaves((...args) => new Promise((answer, fail) => calls.push({ args, answer, fail })), listener, storage, "comments");
}

async function flush(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

test("what was typed while a comment was on its way follows it, on the revision that came back", async () => {
  const saves = makeSaves();
  saves.write(1, "a", 0);
  saves.write(1, "ab", 0);
  saves.write(1, "abc", 0);
  expect(calls.map(({ args }) => args)).toEqual([[1, "a", 0]]);
  calls[0]?.answer({ image_id: 1, text: "a", revision: 1 });
  await flush();
  expect(calls[1]?.args).toEqual([1, "abc", 1]);
  expect(saves.status.value).toBe("saving");
  calls[1]?.answer({ image_id: 1, text: "abc", revision: 2 });
  await flush();
  expect([saves.status.value, saves.pending(1), storage.map.size]).toEqual(["saved", null, 0]);
});

test("without a server it is kept over a reload, and sent later", async () => {
  const saves = makeSaves();
  saves.write(4, "note", 2);
  calls[0]?.fail(new UnreachableError("down"));
  await flush();
  expect([saves.status.value, saves.pending(4)]).toEqual(["offline", "note"]);
  calls = [];
  const later = makeSaves();
  later.restore();
  expect(calls[0]?.args).toEqual([4, "note", 2]);
  calls[0]?.fail(new ApiError(507, "StorageFullError", "the disk is full"));
  await vi.advanceTimersByTimeAsync(3_000);
  calls.at(-1)?.answer({ image_id: 4, text: "note", revision: 3 });
  await flush();
  expect([later.status.value, later.trouble.value, storage.map.size]).toEqual(["saved", null, 0]);
});

test("somebody else's comment is not overwritten", async () => {
  const saves = makeSaves();
  saves.write(1, "mine", 0);
  const theirs = { image_id: 1, text: "theirs", revision: 1 };
  calls[0]?.fail(new ApiError(409, "ConflictError", "stale", theirs));
  await flush();
  expect(listener.conflict).toHaveBeenCalledExactlyOnceWith("mine", theirs);
  expect([saves.status.value, saves.pending(1), storage.map.size]).toEqual(["saved", null, 0]);
});

test("what was typed while a comment was refused is sent, and the refused one stays for the next visit", async () => {
  const saves = makeSaves();
  saves.write(1, "too long", 0);
  saves.write(1, "short", 0);
  calls[0]?.fail(new ApiError(422, "RequestValidationError", "text: too long"));
  await flush();
  expect(listener.rejected).not.toHaveBeenCalled();
  expect(calls[1]?.args).toEqual([1, "short", 0]);
  calls[1]?.fail(new ApiError(422, "RequestValidationError", "text: too long"));
  await flush();
  expect(listener.rejected).toHaveBeenCalledExactlyOnceWith(1, "short", "text: too long");
  expect([saves.status.value, storage.map.size]).toEqual(["saved", 1]);
  saves.discard(1);
  expect(storage.map.size).toBe(0);
});

test("what was typed since is kept on the revision that came back", async () => {
  makeSaves().write(1, "a", 0);
  const saves = makeSaves();
  saves.write(2, "b", 0);
  saves.write(2, "bc", 0);
  calls[1]?.answer({ image_id: 2, text: "b", revision: 5 });
  await flush();
  const kept = [...storage.map].filter(([key]) => key.startsWith("comments:2:")).map(([, text]) => JSON.parse(text) as unknown);
  expect(kept).toEqual([{ text: "bc", revision: 5 }]);
});

test("tabs leave each other's comments alone; the same comment sent by both is saved, not in conflict", async () => {
  const [mine, other] = [makeSaves(), makeSaves()];
  mine.write(1, "mine", 0);
  other.write(1, "theirs", 0);
  expect(storage.map.size).toBe(2);
  calls[1]?.fail(new ApiError(409, "ConflictError", "stale", { image_id: 1, text: "theirs", revision: 1 }));
  await flush();
  expect([...storage.map.values()].map((text) => JSON.parse(text) as unknown)).toEqual([{ text: "mine", revision: 0 }]);
  expect(listener.conflict).not.toHaveBeenCalled();
  expect(other.status.value).toBe("saved");
});
