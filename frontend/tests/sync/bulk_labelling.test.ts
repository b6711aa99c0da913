import { beforeEach, expect, test } from "vitest";

import type { Api } from "../../src/api/client";
import type { BulkChange, BulkOutcome } from "../../src/state/bulk";
import { ToastStore } from "../../src/state/toasts";
import type { Annotation } from "../../src/state/types";
import { BulkLabelling } from "../../src/sync/bulk_labelling";
import { SaveQueue, type SaveListener } from "../../src/sync/save_queue";

const CHANGE: BulkChange = { action: "label", images: [{ id: 1, revision: 0 }], class_id: 2 };
const DEAF: SaveListener = { saved: () => undefined, changed: () => undefined, conflict: () => undefined, rejected: () => undefined };

let sent: BulkChange[];
let changed: unknown[];
let saves: SaveQueue;
let toasts: ToastStore;
let bulk: BulkLabelling;
let outcome: BulkOutcome;
let answer: (annotation: Annotation) => void;
let fail: (error: Error) => void;

beforeEach(() => {
  sent = [];
  changed = [];
  outcome = { changed: [{ id: 1, revision: 1 }], unchanged: 0, conflicts: [], refused: [], emptied: 1 };
  const put = (): Promise<Annotation> =>
    new Promise((resolve, reject) => {
      answer = resolve;
      fail = reject;
    });
  const storage = { getItem: () => null, setItem: () => undefined, removeItem: () => undefined, key: () => null, length: 0 };
  saves = new SaveQueue(put, DEAF, storage, "unsaved");
  toasts = new ToastStore();
  const changeMany = (change: BulkChange): Promise<unknown> => {
    sent.push(change);
    return Promise.resolve(outcome);
  };
  bulk = new BulkLabelling({ changeMany } as unknown as Api, saves, toasts, (images) => changed.push(...images));
});

const told = (): string[] => toasts.value.map(({ text }) => text);
const label = (): void => saves.enqueue(3, { kind: "label", class_id: 1 }, 0);

test("change: tells the new revisions", async () => {
  expect(await bulk.change(CHANGE, "labelled lion", [1])).toEqual([]);
  expect([sent, changed]).toEqual([[CHANGE], [{ id: 1, revision: 1 }]]);
});

test("change: what sets images aside says how many lost their labels", async () => {
  await bulk.change({ action: "skip", images: CHANGE.images }, "skipped");
  expect(told()).toEqual(["1 image skipped; the labels of 1 were taken off."]);
  await bulk.change(CHANGE, "labelled lion");
  expect(told()).toEqual(["1 image labelled lion."]);
});

test("change: what the server did not take is told, and undo does not select it", async () => {
  outcome = { ...outcome, conflicts: [3], refused: [4] };
  const images = [1, 2, 3, 4].map((id) => ({ id, revision: 0 }));
  expect(await bulk.change({ ...CHANGE, images }, "labelled lion", [1, 2, 3, 4])).toEqual([3, 4]);
  await bulk.undo();
  expect(bulk.reselected.value).toEqual({ ids: [1, 2], selects: true });
  outcome = { ...outcome, changed: [] };
  expect(await bulk.change({ ...CHANGE, images }, "labelled lion", [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
});

test("change: comes after what is being saved", async () => {
  label();
  const done = bulk.change(CHANGE, "labelled lion");
  await Promise.resolve();
  expect([sent, bulk.busy.value]).toEqual([[], true]);
  answer({ revision: 1 } as Annotation);
  expect(await done).toEqual([]);
});

test("change: while the server is away it says so, and waits for nothing", async () => {
  label();
  const done = bulk.change(CHANGE, "labelled lion");
  await Promise.resolve();
  fail(new TypeError("Failed to fetch"));
  expect(await done).toEqual([]);
  expect(await bulk.change(CHANGE, "labelled lion", [1])).toEqual([1]);
  expect([sent, bulk.busy.value]).toEqual([[], false]);
  expect(told()).toEqual(["Not now: the server does not answer, and what you did last is not saved yet."]);
});
