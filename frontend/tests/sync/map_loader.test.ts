import { expect, test } from "vitest";

import cases from "../../../tests/backend/services/needed_maps.json";
import { mapsFor, neededMaps, type ClassMap } from "../../src/state/prediction";
import type { LabelClass } from "../../src/state/types";
import { decodePushed } from "../../src/sync/map_loader";

function listOf(ids: readonly number[]): LabelClass[] {
  return ids.map((id) => ({ id, name: `class ${id}`, color: "#ffffff", group: null }));
}

/** The same table holds what the server sends to this. */
test.each(cases)("neededMaps: $case", ({ classes, head, needed }) => {
  expect(neededMaps(listOf(classes), head)).toEqual(needed);
});

test("decodePushed: bytes in base64; too few are refused", () => {
  const map = { class_id: 3, width: 3, height: 1, values: btoa("\u0000\u0080\u00ff") };
  expect(decodePushed(map)).toEqual({ class_id: 3, map: { width: 3, height: 1, values: new Uint8Array([0, 128, 255]) } });
  expect(() => decodePushed({ ...map, width: 4 })).toThrow("a map of 4 x 1 cells has 3 values");
});

test.each([
  { case: "a third class: the map of one says what the other is", maps: { 1: 200 }, before: [1, 2], now: [1, 2, 3], after: { 1: 200, 2: 55 } },
  { case: "in the order of the new list", maps: { 1: 200 }, before: [1, 2], now: [3, 2, 1], after: { 2: 55, 1: 200 } },
  { case: "two in another order", maps: { 1: 200 }, before: [1, 2], now: [2, 1], after: { 2: 55 } },
  { case: "two are left of three", maps: { 1: 200, 2: 40, 3: 15 }, before: [1, 2, 3], now: [2, 3], after: { 2: 40 } },
  { case: "a fourth class", maps: { 1: 200, 2: 40, 3: 15 }, before: [1, 2, 3], now: [1, 2, 3, 4], after: { 1: 200, 2: 40, 3: 15 } },
  { case: "no map", maps: {}, before: [1, 2], now: [1, 2, 3], after: {} },
])("mapsFor: $case", ({ maps, before, now, after }) => {
  const given = Object.entries(maps).map(([id, value]): ClassMap => ({ class_id: Number(id), map: { width: 1, height: 1, values: Uint8Array.of(value) } }));
  const found = mapsFor(given, listOf(before), listOf(now));
  expect(found.map(({ class_id, map }) => [class_id, map.values[0]])).toEqual(now.flatMap((id) => (id in after ? [[id, (after as Record<number, number>)[id]]] : [])));
});
