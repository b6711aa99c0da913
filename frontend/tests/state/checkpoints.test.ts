import { describe, expect, it } from "vitest";

import { bytes, flatten, foldedRows, heldOutOf, isSettled, kindName, measuredPair, shown, whyNotActivated, winner, type Checkpoint } from "../../src/state/checkpoints";

describe("heldOutOf", () => {
  it("is unknown where nothing was measured", () => {
    expect(heldOutOf({ metrics: {} })).toBeNull();
    expect(heldOutOf({ metrics: { held_out: null } })).toBeNull();
    expect(heldOutOf({ metrics: { held_out: { accuracy: "high" } } })).toBeNull();
  });

  it("says whether a share of so few says anything", () => {
    const of = (n_samples: number, n_images: number) => heldOutOf({ metrics: { held_out: { accuracy: 0.5, n_samples, n_images } } })?.enough;
    expect([of(4, 4), of(5, 1), of(5, 2)]).toEqual([false, false, true]);
  });
});

describe("heldOutOf of a run", () => {
  it("says that its epoch was chosen on the same images", () => {
    const held_out = { accuracy: 0.5, n_samples: 9, n_images: 9 };
    expect(heldOutOf({ metrics: { held_out } })?.selected_on_these).toBe(false);
    expect(heldOutOf({ metrics: { held_out, selected_on_these: true } })?.selected_on_these).toBe(true);
  });
});

describe("foldedRows", () => {
  const live: Checkpoint = {
    id: 0, kind: "live", name: null, pinned: false, active: false, in_force: false, can_roll_back: false, parent_id: null, run_id: null,
    metrics: {}, n_labels: 1, size_bytes: 1, created_at: "2026-01-01T00:00:00Z",
  }; // prettier-ignore
  const some = (from: number, count: number): Checkpoint[] => Array.from({ length: count }, (_, i) => ({ ...live, id: from + i }));
  const shape = (rows: readonly Checkpoint[], chosen: readonly number[] = []): unknown =>
    foldedRows(rows, chosen).map((row) => ("id" in row ? row.id : row.length));

  it("folds many live heads in a row, and shows a few one by one", () => {
    expect(shape(some(1, 4))).toEqual([1, 2, 3, 4]);
    expect(shape(some(1, 12))).toEqual([12]);
  });

  it("leaves out of it what somebody named, pinned, chose or what predicts, and runs", () => {
    const rows = [{ ...live, id: 90, in_force: true }, ...some(1, 5), { ...live, id: 91, kind: "run" as const }, ...some(11, 5), { ...live, id: 92, name: "good" }, ...some(21, 3)];
    expect(shape(rows)).toEqual([90, 5, 91, 5, 92, 21, 22, 23]);
    expect(shape(some(1, 11), [6])).toEqual([5, 6, 5]);
  });
});

describe("measuredPair", () => {
  it("survives whatever is missing", () => {
    const pair = measuredPair({ a: { quality: null, how: null, note: "lost" } });
    expect(pair.a).toEqual({ accuracy: null, mean_iou: null, loss: null, how: null, note: "lost" });
    expect([pair.difference, pair.agreement, pair.n_images]).toEqual([null, null, 0]);
  });

  it("reads what the service wrote", () => {
    const pair = measuredPair({
      held_out: { n_images: 4, n_samples: 9 },
      b: { quality: { accuracy: 0.9, mean_iou: 0.8, loss: 0.2 }, how: "itself", note: null },
      difference: { accuracy: 0.1, standard_error: 0.02 },
      agreement: { share: 0.75, n_images: 12, of: "cells" },
    });
    expect(pair.b.accuracy).toBe(0.9);
    expect(pair.agreement).toEqual({ share: 0.75, n_images: 12, of: "cells" });
    expect(winner(pair)).toBe("b");
  });
});

describe("winner", () => {
  it("is told only beyond twice the standard error", () => {
    expect(winner({ difference: 0.1, standard_error: 0.06 })).toBeNull();
    expect(winner({ difference: -0.1, standard_error: 0.04 })).toBe("a");
    expect(winner({ difference: 0.5, standard_error: null })).toBeNull();
    expect(winner({ difference: 0, standard_error: 0 })).toBeNull();
  });
});

describe("words", () => {
  it("flattens a configuration by name", () => {
    expect(flatten({ b: { y: null, x: [1] }, a: "text" })).toEqual([["a", "text"], ["b.x", "[1]"], ["b.y", "–"]]);
    expect(shown(true)).toBe("true");
  });

  it("names kinds and sizes", () => {
    expect([kindName({ kind: "live", run_id: null }), kindName({ kind: "run", run_id: 3 })]).toEqual(["Live", "Run 3"]);
    expect([bytes(12), bytes(4100), bytes(41_000_000)]).toEqual(["12 B", "4.1 kB", "41 MB"]);
  });
});

it("isSettled: only a measurement that is done, of the labels as they are", () => {
  expect(isSettled({ state: "done", stale: false })).toBe(true);
  expect(isSettled({ state: "done", stale: true })).toBe(false);
  expect(isSettled({ state: "failed", stale: false })).toBe(false);
  expect(isSettled({ state: "none", stale: false })).toBe(false);
});

describe("whyNotActivated", () => {
  const row = (change: Partial<Checkpoint>) => ({ kind: "live", active: false, in_force: false, size_bytes: 100, ...change }) as Checkpoint;

  it("is told for the head that predicts already, live or active", () => {
    expect(whyNotActivated(row({ in_force: true }))).toMatch(/predicts already: it is the live head/);
    expect(whyNotActivated(row({ in_force: true, active: true }))).toMatch(/active and predicts already/);
  });

  it("is told for what is no head, or has lost its file", () => {
    expect(whyNotActivated(row({ kind: "adapter" }))).toMatch(/no head/);
    expect(whyNotActivated(row({ size_bytes: null }))).toBe("Its file is gone");
    expect(whyNotActivated(row({}))).toBeNull();
  });
});
