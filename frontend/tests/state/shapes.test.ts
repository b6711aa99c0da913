import { describe, expect, test } from "vitest";

import type { Vec2 } from "../../src/state/geometry";
import { anchorOf, bitmapOf, decodeRuns } from "../../src/state/mask_runs";
import { cornerAt, closed, sideAt, withCornerAt, withNewCorner, withoutCorner } from "../../src/state/polygons";
import { predictedRegionAt } from "../../src/state/predicted_region";
import { newRegion, type MaskGeometry, type PolygonGeometry, type Shape } from "../../src/state/regions";
import { areaOf, boundsOf, boxBetween, distanceToSegment, isOn, keptInside, moved, regionAt, regionsWithin, resized } from "../../src/state/shapes";
import { STROKE_TOLERANCE_PX, simplified } from "../../src/state/strokes";
import { nextBrushRadius, ToolState } from "../../src/state/tools";

const SQUARE: PolygonGeometry = { rings: [[[10, 10], [30, 10], [30, 30], [10, 30]]] };
const WITH_HOLE: PolygonGeometry = { rings: [...SQUARE.rings, [[15, 15], [25, 15], [25, 25], [15, 25]]] };
const STROKE: Shape = { kind: "stroke", geometry: { points: [[0, 0], [10, 0], [10, 10]], radius: 2 } };
const BOX: Shape = { kind: "box", geometry: { x0: 5, y0: 5, x1: 15, y1: 25 } };
/** Two columns of three pixels at (4, 2): off on on, on off off. As pycocotools writes it. */
const MASK: MaskGeometry = { x: 4, y: 2, size: [3, 2], counts: "132" };

describe("isOn", () => {
  test.each([
    [STROKE, [5, 1.9], 0, true],
    [STROKE, [5, 2.1], 0, false],
    [STROKE, [5, 2.1], 0.2, true],
    [{ kind: "polygon", geometry: WITH_HOLE }, [12, 12], 0, true],
    [{ kind: "polygon", geometry: WITH_HOLE }, [20, 20], 0, false],
    [{ kind: "polygon", geometry: SQUARE }, [31, 20], 2, true],
    [BOX, [10, 20], 0, true],
    [BOX, [16, 20], 0, false],
    [{ kind: "mask", geometry: MASK }, [4.5, 3.5], 0, true],
    [{ kind: "mask", geometry: MASK }, [4.5, 2.5], 0, false],
    [{ kind: "mask", geometry: MASK }, [5.5, 2.5], 0, true],
    [{ kind: "mask", geometry: MASK }, [5.5, 4.5], 0, false],
  ] as const)("%o at %o within %d: %s", (shape, at, reach, expected) => {
    expect(isOn(shape, at, reach)).toBe(expected);
  });

  test("regionAt: the topmost; an eraser only where nothing else is", () => {
    const [low, high] = [newRegion(BOX, 1), newRegion(BOX, 2)];
    const eraser = newRegion(BOX, null);
    expect(regionAt([low, high, eraser], [10, 10], 0)).toBe(high);
    expect(regionAt([eraser], [10, 10], 0)).toBe(eraser);
    expect(regionAt([low], [100, 10], 0)).toBeNull();
  });

  test("regionsWithin: only what lies wholly inside", () => {
    const region = newRegion(BOX, 1);
    expect(regionsWithin([region], { left: 0, top: 0, right: 20, bottom: 30 })).toEqual([region]);
    expect(regionsWithin([region], { left: 0, top: 0, right: 14, bottom: 30 })).toEqual([]);
  });
});

describe("masks", () => {
  test("decodeRuns: as pycocotools writes them, with differences and more than one character", () => {
    expect(decodeRuns(MASK)).toEqual([1, 3, 2]);
    // 1000 off, 1000 on, 1000 off: the third is the difference to the first.
    expect(decodeRuns({ x: 0, y: 0, size: [1000, 3], counts: "Xo0Xo0Xo0" })).toEqual([1000, 1000, 1000]);
    expect(decodeRuns({ x: 0, y: 0, size: [1000, 4], counts: "Xo0Xo0Xo0FRQO" })).toEqual([1000, 1000, 1000, 990, 10]);
  });

  test("bitmapOf: row by row, coarser if asked", () => {
    expect([...bitmapOf(MASK, 1).pixels]).toEqual([0, 1, 1, 0, 1, 0]);
    expect(bitmapOf(MASK, 2)).toEqual({ width: 1, height: 2, pixels: new Uint8Array([0, 1]) });
  });

  test("anchorOf: on the mask", () => {
    expect(anchorOf(MASK)).toEqual([4.5, 4.5]);
    expect(isOn({ kind: "mask", geometry: MASK }, anchorOf(MASK), 0)).toBe(true);
  });
});

describe("moving and resizing", () => {
  test("moved: every place, to hundredths; a mask by whole pixels", () => {
    expect(moved(BOX, [0.333, -1])).toEqual({ x0: 5.33, y0: 4, x1: 15.33, y1: 24 });
    expect(moved({ kind: "mask", geometry: MASK }, [1.6, -0.4])).toMatchObject({ x: 6, y: 2 });
    expect(boundsOf({ kind: "stroke", geometry: moved(STROKE, [1, 1]) as never })).toEqual({ left: -1, top: -1, right: 13, bottom: 13 });
  });

  test("keptInside: nothing leaves the image altogether", () => {
    expect(keptInside([BOX], [-100, 3], { width: 50, height: 50 })).toEqual([-14, 3]);
    expect(keptInside([BOX], [100, 100], { width: 50, height: 50 })).toEqual([44, 44]);
  });

  test("resized: over the opposite side it turns inside out; never thinner than a pixel", () => {
    expect(resized({ x0: 0, y0: 0, x1: 10, y1: 10 }, [1, 0], [-5, 99])).toEqual({ x0: -5, y0: 0, x1: 0, y1: 10 });
    expect(resized({ x0: 0, y0: 0, x1: 10, y1: 10 }, [-1, -1], [4, 5])).toEqual({ x0: 4, y0: 5, x1: 10, y1: 10 });
    expect(boxBetween([1, 1], [1.5, 9])).toBeNull();
  });

  test("areaOf: holes do not count", () => {
    expect(areaOf({ kind: "polygon", geometry: WITH_HOLE })).toBe(300);
    expect(areaOf(BOX)).toBe(200);
    expect(areaOf({ kind: "mask", geometry: MASK })).toBe(3);
  });
});

describe("polygons", () => {
  test("corners are found, moved, added and removed", () => {
    expect(cornerAt(SQUARE, [29, 11], 3)).toEqual({ ring: 0, index: 1 });
    expect(cornerAt(SQUARE, [20, 20], 3)).toBeNull();
    expect(sideAt(SQUARE, [20, 10.5], 2)).toEqual({ ring: 0, index: 1 });
    expect(sideAt(SQUARE, [10, 20], 2)).toEqual({ ring: 0, index: 4 });
    expect(withCornerAt(SQUARE, { ring: 0, index: 1 }, [35, 5]).rings[0]?.[1]).toEqual([35, 5]);
    expect(withNewCorner(SQUARE, { ring: 0, index: 4 }, [5, 20]).rings[0]?.at(-1)).toEqual([5, 20]);
    expect(withoutCorner(SQUARE, { ring: 0, index: 0 })?.rings[0]).toHaveLength(3);
  });

  test("withoutCorner: a hole goes with its third corner, the polygon itself stays", () => {
    const triangle: PolygonGeometry = { rings: [...SQUARE.rings, [[15, 15], [25, 15], [25, 25]]] };
    expect(withoutCorner(triangle, { ring: 1, index: 0 })).toEqual(SQUARE);
    expect(withoutCorner({ rings: [[[0, 0], [1, 0], [1, 1]]] }, { ring: 0, index: 0 })).toBeNull();
  });

  test("closed: repeated corners count once; no area is no polygon", () => {
    expect(closed([[0, 0], [10, 0], [10, 0], [10, 10]])?.rings[0]).toHaveLength(3);
    expect(closed([[0, 0], [10, 0]])).toBeNull();
    expect(closed([[0, 0], [10, 0], [20, 0]])).toBeNull();
  });
});

describe("simplified", () => {
  const circle = Array.from({ length: 2000 }, (_, i): Vec2 => [100 + 50 * Math.cos(i / 300), 100 + 50 * Math.sin(i / 300)]);

  test("no place is farther than the tolerance from what is kept", () => {
    const kept = simplified(circle);
    expect(kept.length).toBeLessThan(100);
    for (const at of circle) {
      const distance = Math.min(...kept.slice(1).map((b, i) => distanceToSegment(at, kept[i] ?? b, b)));
      expect(distance).toBeLessThanOrEqual(STROKE_TOLERANCE_PX + 0.01);
    }
  });

  test("ends stay, a straight line has two places, a click one", () => {
    expect(simplified([[0, 0], [1, 0], [2, 0], [9, 0]])).toEqual([[0, 0], [9, 0]]);
    expect(simplified([[3.14159, 2], [3.14159, 2]])).toEqual([[3.14, 2]]);
    expect(simplified(circle).at(-1)).toEqual(circle.at(-1)?.map((value) => Math.round(value * 100) / 100));
  });

  test("never more places than the server takes", () => {
    const zigzag = Array.from({ length: 11_000 }, (_, i): Vec2 => [i, i % 2]);
    expect(simplified(zigzag).length).toBeLessThanOrEqual(10_000);
  });
});

describe("tools", () => {
  test("nextBrushRadius: at least a pixel of the diameter, within limits, there and back", () => {
    expect(nextBrushRadius(0.5, 1)).toBe(1);
    expect(nextBrushRadius(0.5, -1)).toBe(0.5);
    expect(nextBrushRadius(512, 1)).toBe(512);
    expect(nextBrushRadius(50, 1)).toBe(60);
    expect(nextBrushRadius(60, -1)).toBe(50);
  });

  test("ToolState: another tool selects nothing; ids of the server take the place of local ones", () => {
    const tools = new ToolState();
    tools.tool.set("select");
    tools.selection.set({ points: [0], regions: [-1, 5] });
    tools.toggleHidden(-1);
    tools.rename(new Map([[-1, 9]]));
    expect(tools.selection.value.regions).toEqual([9, 5]);
    expect([...tools.hidden.value]).toEqual([9]);
    tools.tool.set("brush");
    expect(tools.selection.value).toEqual({ points: [], regions: [] });
  });
});

test("predictedRegionAt: the cells that hang together, of two classes by the map of one", () => {
  const map = { width: 4, height: 2, values: new Uint8Array([255, 255, 0, 255, 0, 255, 0, 255]) };
  const classes = [{ id: 1, name: "a", color: "#f00", group: null }, { id: 2, name: "b", color: "#00f", group: null }];
  const shown = { image_id: 1, version: 1, annotation_revision: 1, probabilities: [], maps: [{ class_id: 1, map }], refined: false };
  const size = { width: 40, height: 20 };
  const region = predictedRegionAt(shown, classes, size, [5, 5]);
  expect(region?.class_id).toBe(1);
  expect([...(region?.cells ?? [])]).toEqual([1, 1, 0, 0, 0, 1, 0, 0]);
  expect(region?.has([15, 15])).toBe(true);
  expect(region?.has([35, 5])).toBe(false);
  expect(predictedRegionAt(shown, classes, size, [25, 5])?.class_id).toBe(2);
  expect(predictedRegionAt(shown, classes, size, [-1, 5])).toBeNull();
});
