import { describe, expect, test } from "vitest";

import { coversPixel, withCornerAt, type Corner } from "../../src/state/polygons";

const IMAGE = { width: 20, height: 10 };
const FIRST: Corner = { ring: 0, index: 0 };

describe("coversPixel", () => {
  const triangle = { rings: [[[2, 2], [10, 2], [2, 8]]] } as const; // prettier-ignore

  test("a triangle does; with a corner on the opposite side it does not", () => {
    expect(coversPixel(triangle, IMAGE)).toBe(true);
    expect(coversPixel(withCornerAt(triangle, FIRST, [6, 5]), IMAGE)).toBe(false);
  });

  test.each([
    [[[0.6, 0.6], [5, 0.6], [5, 1.4], [0.6, 1.4]], false],
    [[[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]], true],
    [[[-9, -9], [-1, -9], [-1, -1]], false],
    [[[20, 1], [25, 1], [25, 9], [20, 9]], false],
    [[[19, 1], [25, 1], [25, 9], [19, 9]], true],
  ] as const)("the middle of a pixel of the image counts: %j", (ring, covers) => {
    expect(coversPixel({ rings: [ring] }, IMAGE)).toBe(covers);
  });

  test("a hole over all leaves nothing", () => {
    expect(coversPixel({ rings: [...triangle.rings, ...triangle.rings] }, IMAGE)).toBe(false);
  });
});
