import { describe, expect, test } from "vitest";

import { bandPath, linePath, rangeOf, shareRange, ticks, toPixels, type Box } from "../../src/state/plots";

const BOX: Box = { width: 120, height: 60, left: 10, right: 10, top: 5, bottom: 5 };

describe("toPixels", () => {
  const at = toPixels(BOX, { from: 0, to: 100 }, { from: 0, to: 1 });
  test("corners lie on the edges of the box, y upwards", () => {
    expect(at(0, 0)).toEqual([10, 55]);
    expect(at(100, 1)).toEqual([110, 5]);
    expect(at(50, 0.5)).toEqual([60, 30]);
  });
  test("a single value lies in the middle", () => {
    expect(toPixels(BOX, { from: 7, to: 7 }, { from: 0.5, to: 0.5 })(7, 0.5)).toEqual([60, 30]);
  });
});

describe("paths", () => {
  const at = toPixels(BOX, { from: 0, to: 100 }, { from: 0, to: 1 });
  const points = [{ x: 0, y: 0, low: 0, high: 0.5 }, { x: 100, y: 1, low: 0.5, high: 1 }];
  test("line", () => {
    expect(linePath(points, at)).toBe("M10 55L110 5");
    expect(linePath([], at)).toBe("");
  });
  test("band goes along the upper bounds and back along the lower ones", () => {
    expect(bandPath(points, at)).toBe("M10 30L110 5L110 30L10 55Z");
    expect(bandPath(points.slice(0, 1), at)).toBe("");
    expect(bandPath([{ x: 0, y: 0 }, { x: 1, y: 1 }], at)).toBe("");
  });
});

test("shareRange holds every interval and ends on tenths", () => {
  expect(shareRange([{ x: 0, y: 0.72, low: 0.64, high: 0.81 }])).toEqual({ from: 0.6, to: 0.9 });
  expect(shareRange([{ x: 0, y: 1, low: 0.2, high: 1 }])).toEqual({ from: 0.2, to: 1 });
  expect(shareRange([])).toEqual({ from: 0, to: 1 });
});

test("shareRange of equal shares has room around them and stays between none and all", () => {
  expect(shareRange([{ x: 0, y: 1 }, { x: 1, y: 1 }])).toEqual({ from: 0.9, to: 1 });
  expect(shareRange([{ x: 0, y: 0 }])).toEqual({ from: 0, to: 0.1 });
  expect(shareRange([{ x: 0, y: 0.5 }])).toEqual({ from: 0.4, to: 0.6 });
});

test("ticks are round, inside the range, and few", () => {
  expect(ticks({ from: 0, to: 1 }, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks({ from: 0.6, to: 0.9 }, 3)).toEqual([0.6, 0.7, 0.8, 0.9]);
  expect(ticks({ from: 4, to: 37 }, 4)).toEqual([10, 20, 30]);
  expect(ticks(rangeOf([5, 5]), 3).length).toBeGreaterThan(0);
});

test("ticks are never alone", () => {
  expect(ticks({ from: 30, to: 180 }, 1)).toEqual([100]);
  expect(ticks({ from: 12, to: 190 }, 4)).toEqual([50, 100, 150]);
  expect(ticks({ from: 6, to: 198 }, 2).length).toBeGreaterThan(1);
});
