import { describe, expect, test } from "vitest";

import vectors from "../../../tests/models/geometry_vectors.json";
import { cellOf, contains, makeGrid, toGrid, toImage, type Vec2 } from "../../src/state/geometry";

function pair(values: readonly number[]): Vec2 {
  return [values[0] ?? NaN, values[1] ?? NaN];
}

/** The same file holds models/geometry.py to these values. */
describe.each(vectors)("grid of $width x $height, resize $resize", (vector) => {
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
