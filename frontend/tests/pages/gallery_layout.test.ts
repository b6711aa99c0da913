import { describe, expect, it } from "vitest";

import { gridFor, leftTop, lengthOf, placesAt, placesOfSlots, ROW_PX, scrollTo } from "../../src/pages/labeling/components/gallery_layout";

const GRID = gridFor(1_000, 600);

describe("gridFor", () => {
  it("has as many columns as fit, in whole pixels", () => {
    expect(GRID).toEqual({ columns: 5, rows: 5, tile_width: 182 });
    expect(gridFor(50, 10)).toEqual({ columns: 1, rows: 2, tile_width: 132 });
  });

  it("has two columns on a phone", () => {
    expect(gridFor(390, 600)).toMatchObject({ columns: 2, tile_width: 169 });
  });
});

describe("placesAt", () => {
  it("holds what is in sight and spare rows, as far as there are images", () => {
    expect(placesAt(0, GRID, 1_000)).toEqual([0, 34]);
    expect(placesAt(10, GRID, 1_000)).toEqual([40, 84]);
    expect(placesAt(198, GRID, 1_000)).toEqual([980, 999]);
    expect(placesAt(0, GRID, 0)).toEqual([0, -1]);
  });
});

describe("placesOfSlots", () => {
  const shown = (first_row: number, total: number): readonly (number | null)[] => placesOfSlots(placesAt(first_row, GRID, total), GRID);

  it("shows each place once, and from the start in order", () => {
    expect(shown(0, 12).slice(0, 13)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, null]);
    const [first, last] = placesAt(137, GRID, 100_000);
    const sorted = shown(137, 100_000).filter((place) => place !== null).sort((a, b) => a - b);
    expect(sorted).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i));
  });

  it("changes only the slots of the row that came into sight", () => {
    const [before, after] = [shown(50, 100_000), shown(51, 100_000)];
    const changed = before.filter((place, slot) => place !== after[slot]);
    expect(changed).toEqual([240, 241, 242, 243, 244]);
  });
});

describe("positions", () => {
  it("lie in rows", () => {
    expect(leftTop(7, GRID)).toEqual([2 * 194, ROW_PX]);
    expect(lengthOf(11, GRID)).toBe(3 * ROW_PX - 12);
  });

  it("are scrolled to only if they are out of sight", () => {
    expect(scrollTo(0, GRID, 0, 600)).toBeNull();
    expect(scrollTo(0, GRID, 500, 600)).toBe(8);
    expect(scrollTo(50, GRID, 0, 600)).toBe(20 + 10 * ROW_PX + ROW_PX - 600);
  });
});
