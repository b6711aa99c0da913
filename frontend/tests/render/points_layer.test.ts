import { describe, expect, it } from "vitest";

import { addedOnTop, boundsOf, windowFor } from "../../src/render/points_layer";
import type { Point } from "../../src/state/types";

const point = (x: number, y: number, origin: Point["origin"] = "human"): Point => ({ id: null, x, y, class_id: 1, origin });
const STAGE = { width: 1_000, height: 600 };

describe("boundsOf", () => {
  it("holds all points, and is null without any", () => {
    expect(boundsOf([point(3, 40), point(10, 7)])).toEqual({ left: 3, top: 7, right: 10, bottom: 40 });
    expect(boundsOf([])).toBeNull();
  });
});

describe("windowFor", () => {
  it("covers all points where they need little room, beside the stage too", () => {
    expect(windowFor({ left: -300, top: 20, right: 200, bottom: 500 }, STAGE, 1, 0)).toEqual({ left: -300, top: 20, right: 200, bottom: 500 });
  });

  it("is the stage and its margin where points lie far around it", () => {
    const all = { left: -5_000, top: -5_000, right: 5_000, bottom: 300 };
    expect(windowFor(all, STAGE, 1, 160)).toEqual({ left: -160, top: -160, right: 1_160, bottom: 300 });
  });

  it("ends on whole pixels of the screen", () => {
    const { left, right } = windowFor({ left: 10.2, top: 0, right: 20.2, bottom: 9 }, STAGE, 2, 0);
    expect([left, right]).toEqual([10, 20.5]);
  });
});

describe("addedOnTop", () => {
  const before = [point(1, 1), point(2, 2)];

  it("finds what was appended, in a list of other objects too", () => {
    const added = point(3, 3);
    expect(addedOnTop(before, [...before.map((old) => ({ ...old })), added])).toEqual([added]);
    expect(addedOnTop(before, [...before])).toEqual([]);
  });

  it("is null where points went, moved or changed", () => {
    expect(addedOnTop(before, [point(1, 1)])).toBeNull();
    expect(addedOnTop(before, [point(1, 1), point(2, 5), point(3, 3)])).toBeNull();
    expect(addedOnTop(before, [point(1, 1), { ...point(2, 2), class_id: 2 }])).toBeNull();
  });

  it("is null where the new ones belong beneath", () => {
    expect(addedOnTop(before, [...before, point(3, 3, "extracted")])).toBeNull();
  });
});
