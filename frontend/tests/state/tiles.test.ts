import { describe, expect, test } from "vitest";

import { isTiled, levelCount, levelFor, TILE_PX, tileRect, tilesOver, visiblePart } from "../../src/state/tiles";

const SIZE = { width: 10_000, height: 7_000 };

test("only pictures that are too large for one piece are tiled", () => {
  expect(isTiled({ width: 4_096, height: 4_096 })).toBe(false);
  expect(isTiled({ width: 16, height: 4_097 })).toBe(true);
});

test("levelCount: until the whole picture is one tile", () => {
  expect(levelCount({ width: 512, height: 10 })).toBe(1);
  expect(levelCount({ width: 513, height: 10 })).toBe(2);
  expect(levelCount({ width: 4_301, height: 40 })).toBe(5);
  expect(levelCount(SIZE)).toBe(6);
});

test("levelFor: never blurred, never finer than there is", () => {
  expect([3, 1, 0.9, 0.5, 0.49, 0.25, 0.001].map((scale) => levelFor(scale, 6))).toEqual([0, 0, 0, 1, 1, 2, 5]);
});

test("visiblePart: what of the picture lies on the stage", () => {
  const stage = { width: 1_000, height: 500 };
  expect(visiblePart({ scale: 2, x: -400, y: 100 }, stage, SIZE)).toEqual({ left: 200, top: 0, right: 700, bottom: 200 });
  expect(visiblePart({ scale: 1, x: 2_000, y: 0 }, stage, SIZE)).toBeNull();
});

describe("tilesOver", () => {
  test("every tile that is touched, those in the middle first", () => {
    const tiles = tilesOver({ left: 500, top: 0, right: 1_600, bottom: 512 }, SIZE, 0);
    expect(tiles.map(({ x, y }) => `${x},${y}`).sort()).toEqual(["0,0", "1,0", "2,0", "3,0"]);
    expect([1, 2]).toContain(tiles[0]?.x);
  });

  test("none beyond the edge of the picture", () => {
    const all = tilesOver({ left: 0, top: 0, right: SIZE.width, bottom: SIZE.height }, SIZE, 0);
    expect(all).toHaveLength(Math.ceil(SIZE.width / TILE_PX) * Math.ceil(SIZE.height / TILE_PX));
    expect(Math.max(...all.map(({ x }) => x))).toBe(19);
    expect(tilesOver({ left: 0, top: 0, right: SIZE.width, bottom: SIZE.height }, SIZE, 5)).toEqual([{ level: 5, x: 0, y: 0 }]);
  });

  test("tiles of a level lie side by side", () => {
    const left = tileRect({ level: 2, x: 0, y: 1 }, { width: TILE_PX, height: TILE_PX });
    const right = tileRect({ level: 2, x: 1, y: 1 }, { width: 100, height: TILE_PX });
    expect(right.left).toBe(left.right);
    expect(right).toEqual({ left: 2_048, top: 2_048, right: 2_448, bottom: 4_096 });
  });
});
