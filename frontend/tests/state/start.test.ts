import { describe, expect, it } from "vitest";

import { nameProblem, usageText } from "../../src/state/classes";
import { ago, cardTitle, isStart, reviewedShare, type SessionProgress } from "../../src/state/start";

const NOW = new Date("2026-01-10T12:00:00Z");

describe("isStart", () => {
  it("only where it is asked for: the root opens the images of the first session", () => {
    expect(isStart("#/start")).toBe(true);
    for (const other of ["", "#/image/3", "#/label", "#/gallery"]) expect(isStart(other)).toBe(false);
  });
});

describe("cardTitle", () => {
  const named = (name: string, folder: string) => ({ folder, progress: { name } as SessionProgress });

  it("no two sessions look the same", () => {
    const all = [named("session", "cells/session"), named("session", "pets/session"), named("birds", "birds/session")];
    expect(all.map((found) => cardTitle(found, all))).toEqual(["session (cells/session)", "session (pets/session)", "birds"]);
  });
});

describe("words", () => {
  it("for how long ago it was", () => {
    expect(ago("2026-01-10T11:59:30Z", NOW)).toBe("just now");
    expect(ago("2026-01-10T11:55:00Z", NOW)).toBe("5 minutes ago");
    expect(ago("2026-01-09T11:00:00Z", NOW)).toBe("yesterday");
    expect(ago("2027-01-01T00:00:00Z", NOW)).toBe("just now");
  });

  it("for what goes with a class", () => {
    const usage = { points: 1, regions: 2, labels: 0, images: 2 };
    expect(usageText(usage, "segmentation")).toBe("1 point and 2 regions on 2 images");
    expect(usageText({ ...usage, points: 0, regions: 0 }, "segmentation")).toBe("");
    expect(usageText({ ...usage, labels: 1200, images: 1200 }, "multilabel")).toBe("1,200 images");
  });

  it("for a name that cannot be", () => {
    expect(nameProblem("  ", [])).toContain("needs a name");
    expect(nameProblem("Cat ", ["dog", "cat"])).toBe("There is a class “cat” already.");
    expect(nameProblem("x".repeat(201), [])).toContain("201 characters");
    expect(nameProblem("bird", ["cat"])).toBeNull();
  });

  it("for how much was seen", () => {
    const progress = { name: "", task: "classification", created_at: "", changed_at: null, classes: 2 } as const;
    expect(reviewedShare({ ...progress, images: 8, labeled: 2, skipped: 1, undetermined: 1 })).toBe(0.5);
    expect(reviewedShare({ ...progress, images: 0, labeled: 0, skipped: 0, undetermined: 0 })).toBe(0);
  });
});
