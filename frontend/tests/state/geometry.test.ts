import { expect, test } from "vitest";

import vectors from "../../../tests/models/geometry_vectors.json";
import { scaleBetween, taps } from "../../src/state/geometry";

/** The same file holds models/geometry.py to these values. */
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

test.each(vectors.grids)("scaleBetween: places on a grid of $width x $height, resize $resize, are those of the Python module", (vector) => {
  const [across, down] = scaleBetween(vector, { width: vector.grid_width, height: vector.grid_height });
  for (const { xy, uv } of vector.points) {
    expect((xy[0] ?? NaN) * across).toBeCloseTo(uv[0] ?? NaN, 9);
    expect((xy[1] ?? NaN) * down).toBeCloseTo(uv[1] ?? NaN, 9);
  }
});

test("scaleBetween: there and back", () => {
  const [a, b] = [{ width: 641, height: 479 }, { width: 96, height: 72 }];
  const [x, y] = scaleBetween(a, b);
  const [back_x, back_y] = scaleBetween(b, a);
  expect(x * back_x).toBeCloseTo(1, 12);
  expect(y * back_y).toBeCloseTo(1, 12);
});
