import { describe, expect, test } from "vitest";

import vectors from "../../../tests/models/geometry_vectors.json";
import { cellOf, contains, makeGrid, scaleBetween, taps, toGrid, toImage, type Vec2 } from "../../src/state/geometry";

function pair(values: readonly number[]): Vec2 {
  return [values[0] ?? NaN, values[1] ?? NaN];
}

/** The same file holds models/geometry.py to these values. */
describe.each(vectors.grids)("grid of $width x $height, resize $resize", (vector) => {
  const grid = makeGrid(vector.width, vector.height, vector);

  test("has the sizes of the Python module", () => {
    expect([grid.input_width, grid.input_height]).toEqual([vector.input_width, vector.input_height]);
    expect([grid.width, grid.height]).toEqual([vector.grid_width, vector.grid_height]);
  });

  test.each(vector.points)("maps $xy to $uv and back", ({ xy, uv, cell }) => {
    const [x, y] = pair(xy);
    const [u, v] = toGrid(grid, [x, y]);
    expect(u).toBeCloseTo(pair(uv)[0], 9);
    expect(v).toBeCloseTo(pair(uv)[1], 9);
    expect(cellOf(grid, [x, y])).toEqual(cell);
    const [back_x, back_y] = toImage(grid, [u, v]);
    expect(back_x).toBeCloseTo(x, 6);
    expect(back_y).toBeCloseTo(y, 6);
  });
});

test("contains: edges belong to the image", () => {
  const grid = { image_width: 10, image_height: 5 };
  expect([contains(grid, [0, 0]), contains(grid, [10, 5]), contains(grid, [10.01, 5])]).toEqual([true, true, false]);
});

test("makeGrid: an image without pixels is refused", () => {
  expect(() => makeGrid(0, 5, { resize: 512, size_multiple: 32, patch_size: 4 })).toThrow("found 0 x 5");
});

test.each(vectors.resamplings)("taps: a plane enlarged to $width x $height is that of the Python module", (vector) => {
  const { plane, width, height, resampled } = vector;
  const columns = taps(plane[0]?.length ?? 0, width);
  const rows = taps(plane.length, height);
  const at = (row: number, column: number): number => plane[row]?.[column] ?? NaN;
  rows.forEach(([top, bottom, down], y) => {
    columns.forEach(([left, right, across], x) => {
      const upper = at(top, left) * (1 - across) + at(top, right) * across;
      const lower = at(bottom, left) * (1 - across) + at(bottom, right) * across;
      expect(upper * (1 - down) + lower * down).toBeCloseTo(resampled[y]?.[x] ?? NaN, 3);
    });
  });
});

/** Small linear congruential generator: the same places in every run. */
function places(count: number): () => number {
  let state = count;
  return () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

test("a point lies in the cell that covers it, and comes back, whatever size, resize and patch", () => {
  const next = places(7);
  for (let i = 0; i < 3000; i += 1) {
    const side = (): number => 1 + Math.floor(20_000 ** next());
    const patch_size = [4, 14, 16, 32][Math.floor(next() * 4)] ?? 16;
    const size_multiple = patch_size * (next() < 0.5 ? 1 : 2);
    const spec = { patch_size, size_multiple, resize: 32 + Math.floor(next() * 8161) };
    const grid = makeGrid(side(), side(), spec);
    const xy: Vec2 = [next() * grid.image_width, next() * grid.image_height];
    const [column, row] = cellOf(grid, xy);
    const [left, top] = toImage(grid, [column, row]);
    const [right, bottom] = toImage(grid, [column + 1, row + 1]);
    const slack = 1e-9 * Math.max(grid.image_width, grid.image_height);
    expect(xy[0] >= left - slack && xy[0] <= right + slack && xy[1] >= top - slack && xy[1] <= bottom + slack).toBe(true);
    const [x, y] = toImage(grid, toGrid(grid, xy));
    expect(Math.hypot(x - xy[0], y - xy[1])).toBeLessThan(slack + 1e-9);
  }
});

test("scaleBetween: there and back", () => {
  const [a, b] = [{ width: 641, height: 479 }, { width: 96, height: 72 }];
  const [x, y] = scaleBetween(a, b);
  const [back_x, back_y] = scaleBetween(b, a);
  expect(x * back_x).toBeCloseTo(1, 12);
  expect(y * back_y).toBeCloseTo(1, 12);
});
