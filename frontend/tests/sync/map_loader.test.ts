import { expect, test } from "vitest";

import cases from "../../../tests/backend/services/needed_maps.json";
import { decodePushed, neededMaps } from "../../src/sync/map_loader";

/** The same table holds what the server sends to this. */
test.each(cases)("neededMaps: $case", ({ classes, head, needed }) => {
  const known = classes.map((id) => ({ id, name: `class ${id}`, color: "#ffffff", group: null }));
  expect(neededMaps(known, head)).toEqual(needed);
});

test("decodePushed: bytes in base64; too few are refused", () => {
  const map = { class_id: 3, width: 3, height: 1, values: btoa("\u0000\u0080\u00ff") };
  expect(decodePushed(map)).toEqual({ class_id: 3, map: { width: 3, height: 1, values: new Uint8Array([0, 128, 255]) } });
  expect(() => decodePushed({ ...map, width: 4 })).toThrow("a map of 4 x 1 cells has 3 values");
});
