import { describe, expect, it } from "vitest";

import { bytes, flatten, heldOutOf, isSettled, kindName, measuredPair, shown, whyNotActivated, winner, type Checkpoint } from "../../src/state/checkpoints";

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
