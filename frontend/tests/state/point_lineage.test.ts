import { expect, test } from "vitest";

import { PointLineage } from "../../src/state/point_lineage";
import type { Point } from "../../src/state/types";

function point(x: number, class_id = 1, id: number | null = null): Point {
  return { id, x, y: 0, class_id, origin: "human" };
}

test("follow: a list in another order, with ids of the server, has the same points elsewhere", () => {
  const before = [point(1), point(2), point(3)];
  const after = [point(3, 1, 7), point(1, 1, 8), point(2, 1, 9)];
  expect(new PointLineage().follow([0, 2], before, after)).toEqual([1, 0]);
});

test("follow: points that were moved are themselves after undo and redo, in any order", () => {
  const lineage = new PointLineage();
  const [before, moved] = [[point(1), point(2)], [point(11), point(12)]];
  lineage.note(before, moved);
  const undone = [point(2, 1, 4), point(1, 1, 3)];
  expect(lineage.follow([0], before, moved)).toEqual([0]);
  expect(lineage.follow([0], moved, undone)).toEqual([1]);
  expect(lineage.follow([1], undone, [point(12, 1, 6), point(11, 1, 5)])).toEqual([1]);
});

test("follow: a swap of places is told apart by its lines only where nothing else tells", () => {
  const lineage = new PointLineage();
  const before = [point(1), point(2)];
  lineage.note(before, [point(2), before[1] ?? point(2)]);
  expect(lineage.follow([1], before, [point(2), before[1] ?? point(2)])).toEqual([1]);
});

test("follow: what is gone is nowhere", () => {
  expect(new PointLineage().follow([0, 1], [point(1), point(2)], [point(2)])).toEqual([0]);
});

test("follow: an id that has come again for another point leads nowhere", () => {
  expect(new PointLineage().follow([0], [point(1, 1, 4)], [point(90, 2, 4), point(1, 1, 5)])).toEqual([1]);
  expect(new PointLineage().follow([0], [point(1, 1, 4)], [point(90, 2, 4)])).toEqual([]);
});

test("follow: a point that was moved, or given another class, elsewhere has its id", () => {
  expect(new PointLineage().follow([0], [point(1, 1, 4)], [point(2, 1, 5), point(3, 1, 4)])).toEqual([1]);
  expect(new PointLineage().follow([0], [point(1, 1, 4)], [point(2, 1, 5), point(1, 2, 4)])).toEqual([1]);
});
