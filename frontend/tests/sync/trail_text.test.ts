import { describe, expect, test } from "vitest";

import { EMPTY_ANNOTATION } from "../../src/state/annotations";
import { newRegion, type Region } from "../../src/state/regions";
import type { Annotation, Draft } from "../../src/state/types";
import { trailFrom, trailText, type StoredTrail } from "../../src/sync/trail_text";

const KNOWN: Region = { id: 3, shape_id: 8, kind: "box", class_id: 1, origin: "human", geometry: { x0: 0, y0: 0, x1: 1, y1: 1 } };
const GONE: Region = { ...KNOWN, id: 2, shape_id: 7, geometry: { x0: 5, y0: 5, x1: 6, y1: 6 } };

function state(revision: number, regions: readonly Region[]): Annotation {
  return { ...EMPTY_ANNOTATION, revision, regions };
}

function stored(new_region: Region): StoredTrail {
  const draft = (regions: readonly Region[]): Draft => ({ kind: "points", points: [], regions });
  return {
    steps: [{ draft: draft([KNOWN, new_region]) }, { draft: draft([KNOWN, new_region, GONE]) }, { draft: draft([KNOWN]), travel: "undo" }],
    trail: { states: [state(4, [GONE, KNOWN]), state(5, [KNOWN])], at: 1 },
  };
}

describe("the text of a trail", () => {
  test("comes back as it was, but for what the server's state has; each geometry stands there once", () => {
    const shape = { kind: "polygon", geometry: { rings: [[[1.25, 2], [3, 4], [5, 7]]] } } as const; // prettier-ignore
    const trail = stored(newRegion(shape, 2));
    const text = trailText(trail) ?? "";
    expect(text.split("1.25")).toHaveLength(2);
    const found = trailFrom(JSON.parse(text));
    expect(found).toEqual(JSON.parse(JSON.stringify(trail, function (this: { shape_id?: number }, key, value: unknown) {
      return key === "geometry" && this.shape_id === 8 ? undefined : value;
    }))); // prettier-ignore
    expect(found?.trail.states[0]?.regions?.[0]?.geometry).toEqual(GONE.geometry);
  });

  test("is left out where it would take too much room", () => {
    const points = Array.from({ length: 5_000 }, (_, i) => ({ id: i, x: i / 7, y: i / 11, class_id: 1, origin: "human" as const }));
    const trail = { states: [{ ...EMPTY_ANNOTATION, points }, { ...EMPTY_ANNOTATION, points }], at: 1 };
    expect(trailText({ steps: [{ draft: { kind: "points", points } }], trail })).toBeNull();
  });

  test.each([
    null,
    {},
    { steps: [], trail: { states: [EMPTY_ANNOTATION], at: 0 }, shapes: [] },
    { steps: [{ draft: { kind: "label", class_id: 1 } }], trail: { states: [EMPTY_ANNOTATION], at: 1 }, shapes: [] },
    { steps: [{ draft: { kind: "label", class_id: 1 }, travel: "sideways" }], trail: { states: [EMPTY_ANNOTATION], at: 0 }, shapes: [] },
    { steps: [{ draft: { kind: "label", class_id: 1 } }], trail: { states: [{ revision: 1 }], at: 0 }, shapes: [] },
  ])("that cannot be understood is none: %j", (value) => {
    expect(trailFrom(value)).toBeNull();
  });
});
