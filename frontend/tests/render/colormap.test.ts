import { describe, expect, test } from "vitest";

import { enlargement, paintOverlay, upsampleLogits, type OverlayInput } from "../../src/render/colormap";
import { heatColor } from "../../src/render/ramps";
import type { GrayMap } from "../../src/state/prediction";

const TWO = [
  { id: 1, color: "#00ff00" },
  { id: 2, color: "#ff0000" },
];
const THREE = [...TWO, { id: 3, color: "#0000ff" }];

function gray(width: number, ...values: number[]): GrayMap {
  return { width, height: values.length / width, values: Uint8Array.from(values) };
}

function paint(input: Partial<OverlayInput> & Pick<OverlayInput, "maps">): { width: number; height: number; at: (x: number, y: number) => number[] } {
  const pixels = paintOverlay({ colors: TWO, style: "certainty", refined: false, opacity: 1, confidence_class_id: null, only_class_id: null, ...input });
  if (!pixels) throw new Error("there is something to paint");
  const { width, height, rgba } = pixels;
  return { width, height, at: (x, y) => [...rgba.slice(4 * (y * width + x), 4 * (y * width + x) + 4)] };
}

describe("upsampleLogits", () => {
  test("a constant map stays constant", () => {
    const out = upsampleLogits(gray(2, 200, 200, 200, 200), 3);
    expect(out).toHaveLength(36);
    expect(Math.max(...out) - Math.min(...out)).toBeCloseTo(0, 5);
  });

  test("borders are clamped, and half-way between two cells lies their mean", () => {
    const out = upsampleLogits(gray(2, 0, 255), 4);
    expect(out[0]).toBeCloseTo(out[1] ?? NaN);
    expect((out[3] ?? NaN) + (out[4] ?? NaN)).toBeCloseTo(0);
  });
});

test("enlargement: at least 1, at most 4, less for many classes", () => {
  expect(enlargement(gray(2, 0, 0), 1, false)).toBe(4);
  expect(enlargement({ width: 2_000, height: 2_000, values: new Uint8Array() }, 1, true)).toBe(1);
});

test("heatColor: from red by amber to green", () => {
  const [low, high] = [heatColor(0), heatColor(1)];
  expect(low[0]).toBeGreaterThan(low[1]);
  expect(high[1]).toBeGreaterThan(high[0]);
  expect(Math.min(heatColor(0.5)[0], heatColor(0.5)[1])).toBeGreaterThan(150);
});

describe("paintOverlay", () => {
  test("nothing without maps", () => {
    expect(paintOverlay({ maps: [], colors: TWO, style: "classes", refined: false, opacity: 1, confidence_class_id: null, only_class_id: null })).toBeNull();
  });

  test("two classes: the colour of the more likely one, fainter where it is less sure", () => {
    const { at, width } = paint({ maps: [{ class_id: 2, map: gray(4, 255, 160, 160, 0) }] });
    expect([at(0, 0), at(width - 1, 0)]).toEqual([[255, 0, 0, 254], [0, 255, 0, 254]]);
    expect(at(7, 0).slice(0, 3)).toEqual([255, 0, 0]);
    expect(at(7, 0)[3]).toBeLessThan(130);
  });

  test("two classes: other colours are painted at once", () => {
    const maps = [{ class_id: 1, map: gray(1, 255) }];
    const green = paint({ maps }).at(0, 0);
    const blue = paint({ maps, colors: [{ id: 1, color: "#0000ff" }, { id: 2, color: "#ff0000" }] }).at(0, 0);
    expect([green, blue]).toEqual([[0, 255, 0, 254], [0, 0, 255, 254]]);
  });

  test.each(["certainty", "confidence", "classes", "uncertainty", "contour"] as const)("%s: a faint veil where one class alone has labels", (style) => {
    const { at, width } = paint({ style, only_class_id: 2, maps: [{ class_id: 1, map: gray(2, 69, 69) }] });
    expect([at(0, 0), at(width - 1, 0)]).toEqual([[255, 0, 0, 64], [255, 0, 0, 64]]);
  });

  test("confidence: green where the first is sure, red where the second is", () => {
    const { at, width } = paint({ style: "confidence", maps: [{ class_id: 1, map: gray(2, 255, 0) }] });
    expect(at(0, 0)[1]).toBeGreaterThan(at(0, 0)[0] ?? 255);
    expect(at(width - 1, 0)[0]).toBeGreaterThan(at(width - 1, 0)[1] ?? 255);
  });

  test("confidence: only the second known to the head: its map counts the other way round", () => {
    const { at } = paint({ style: "confidence", maps: [{ class_id: 2, map: gray(1, 255) }] });
    expect(at(0, 0)[0]).toBeGreaterThan(at(0, 0)[1] ?? 255);
  });

  test("two classes in class colours", () => {
    const { at, width } = paint({ style: "classes", maps: [{ class_id: 1, map: gray(2, 255, 0) }] });
    expect([at(0, 0), at(width - 1, 0)]).toEqual([[0, 255, 0, 255], [255, 0, 0, 255]]);
  });

  test("more classes: the most likely one's colour, fainter where it is less sure", () => {
    const maps = [
      { class_id: 1, map: gray(2, 250, 100) },
      { class_id: 3, map: gray(2, 3, 130) },
    ];
    const { at, width } = paint({ colors: THREE, maps });
    expect(at(0, 0).slice(0, 3)).toEqual([0, 255, 0]);
    expect(at(width - 1, 0).slice(0, 3)).toEqual([0, 0, 255]);
    expect(at(0, 0)[3]).toBeGreaterThan(at(width - 1, 0)[3] ?? 255);
  });

  test("outline: strong at the border between regions, faint inside", () => {
    const { at } = paint({ style: "contour", maps: [{ class_id: 1, map: gray(4, 255, 255, 0, 0) }] });
    expect(at(7, 0)[3]).toBe(255);
    expect(at(0, 0)[3]).toBeLessThan(90);
  });

  test("outline: opaque at any opacity, with an edge that stands out from its colour", () => {
    const { at } = paint({ style: "contour", opacity: 0, maps: [{ class_id: 1, map: gray(4, 255, 255, 0, 0) }] });
    expect(at(7, 0)).toEqual([0, 255, 0, 255]);
    expect(at(6, 0).slice(0, 3)).toEqual([0, 0, 0]);
    expect(at(6, 0)[3]).toBeGreaterThan(180);
    expect(at(0, 0)[3]).toBe(0);
  });
});

describe("uncertainty and single classes", () => {
  test("yellow where two classes are as likely, dark where one is sure", () => {
    const { at, width } = paint({ style: "uncertainty", maps: [{ class_id: 1, map: gray(2, 255, 128) }] });
    const sum = (x: number): number => at(x, 0).slice(0, 3).reduce((a, b) => a + b, 0);
    expect(sum(width - 1)).toBeGreaterThan(2 * sum(0));
    const maps = [250, 3, 3].map((value, i) => ({ class_id: i + 1, map: gray(2, value, 85) }));
    const many = paint({ style: "uncertainty", colors: THREE, maps });
    expect(many.at(0, 0)[1]).toBeLessThan(many.at(many.width - 1, 0)[1] ?? 0);
  });

  test("of three classes the chosen one's confidence, else the first one's, from red to green", () => {
    const maps = [
      { class_id: 1, map: gray(2, 250, 5) },
      { class_id: 3, map: gray(2, 5, 250) },
    ];
    const { at, width } = paint({ style: "confidence", colors: THREE, maps, confidence_class_id: 3 });
    expect(at(0, 0)[0]).toBeGreaterThan(at(0, 0)[1] ?? 255);
    expect(at(width - 1, 0)[1]).toBeGreaterThan(at(width - 1, 0)[0] ?? 255);
    const unknown = paint({ style: "confidence", colors: THREE, maps, confidence_class_id: 2 });
    expect(unknown.at(0, 0)[0]).toBeGreaterThan(4 * (unknown.at(0, 0)[1] ?? 255));
    const first = paint({ style: "confidence", colors: THREE, maps });
    expect(first.at(0, 0)[1]).toBeGreaterThan(first.at(0, 0)[0] ?? 255);
  });
});
