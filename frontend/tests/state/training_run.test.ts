import { expect, test } from "vitest";

import { labelChanges, lossesOf } from "../../src/state/training_run";

const CURVES = { best_epoch: 2, train_loss: [0.9, 0.5, 0.2], val_loss: [1.1, 0.8, 7.557] };

test("lossesOf: once finished the epoch that is kept, not the last one", () => {
  expect(lossesOf({ ...CURVES, state: "FINISHED" })).toEqual({ epoch: 2, train: 0.5, held_out: 0.8, is_kept: true });
});

test("lossesOf: while it is at work the newest epoch", () => {
  expect(lossesOf({ ...CURVES, state: "RUNNING" })).toEqual({ epoch: 3, train: 0.2, held_out: 7.557, is_kept: false });
});

test("lossesOf: no epoch, no best epoch, nothing held out", () => {
  expect(lossesOf({ best_epoch: null, train_loss: [], val_loss: [], state: "FINISHED" })).toBeNull();
  expect(lossesOf({ ...CURVES, best_epoch: null, state: "FINISHED" })).toMatchObject({ epoch: 3, is_kept: false });
  expect(lossesOf({ ...CURVES, val_loss: [null, null, null], state: "FINISHED" })?.held_out).toBeNull();
});

test("labelChanges: where segments begin, each once, without the start of the run", () => {
  const segments = [0, 12, 12, 30].map((after_epoch) => ({ after_epoch, label_sequence: 5 }));
  expect(labelChanges({ metrics: { segments }, epoch: 40 })).toEqual([12, 30]);
  expect(labelChanges({ metrics: { segments: [{ after_epoch: 0 }] }, epoch: 40 })).toEqual([]);
  expect(labelChanges({ metrics: {}, epoch: 40 })).toEqual([]);
});
