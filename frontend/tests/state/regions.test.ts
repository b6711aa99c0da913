import { describe, expect, test } from "vitest";

import { AnnotationStore, EMPTY_ANNOTATION, matches, type AnnotationChange } from "../../src/state/annotations";
import { rebase, replacing, withIds } from "../../src/state/rebase";
import { changedBy, completed, isFromServer, newRegion, type Region, type Shape } from "../../src/state/regions";
import type { Annotation, Draft } from "../../src/state/types";

const STROKE: Shape = { kind: "stroke", geometry: { points: [[1, 1], [9, 1]], radius: 3 } };
const BOX: Shape = { kind: "box", geometry: { x0: 0, y0: 0, x1: 5, y1: 5 } };

function stored(id: number, shape: Shape = BOX, more: Partial<Region> = {}): Region {
  return { id, shape_id: 100 + id, kind: shape.kind, class_id: 1, origin: "human", geometry: shape.geometry, ...more };
}

function draft(regions: readonly Region[]): Extract<Draft, { kind: "points" }> {
  return { kind: "points", points: [], regions };
}

function annotation(revision: number, regions: readonly Region[]): Annotation {
  return { ...EMPTY_ANNOTATION, revision, regions };
}

test("completed: geometry that the server left out comes from what was sent", () => {
  const sent = [stored(1), newRegion(STROKE, 2)];
  const answer: Region[] = [{ ...stored(1), geometry: null }, { ...stored(2, STROKE), class_id: 2, geometry: { points: [[1, 1], [9, 1]], radius: 3 } }];
  const regions = completed(answer, sent);
  expect(regions?.[0]?.geometry).toBe(BOX.geometry);
  expect(regions?.[1]).toMatchObject({ id: 2, shape_id: 102 });
  // Outlines that were made of it stay valid.
  expect(regions?.[1]?.geometry).toBe(STROKE.geometry);
  expect(completed([{ ...stored(7), geometry: null }], sent)).toBeNull();
});

describe("rebase", () => {
  test("what was drawn here lies on top of what the server has; what was removed stays removed", () => {
    const mine = newRegion(STROKE, 1);
    const after = rebase(draft([stored(2), mine]), draft([stored(1), stored(2)]), draft([stored(1), stored(2), stored(3)]));
    expect(after).toMatchObject({ regions: [{ id: 2 }, { id: 3 }, { id: mine.id }] });
  });

  test("a region that was changed here keeps the change; one that the server took back is gone", () => {
    const moved = changedBy(stored(1), { geometry: STROKE.geometry });
    const after = rebase(draft([moved, stored(2)]), draft([stored(1), stored(2)]), draft([stored(1)]));
    expect(after).toEqual(draft([moved]));
  });

  test("a draft of points alone leaves regions alone", () => {
    const after = rebase({ kind: "points", points: [] }, { kind: "points", points: [] }, draft([stored(1)]));
    expect(after).not.toHaveProperty("regions");
  });
});

test("withIds: a later draft knows the ids that an earlier one got", () => {
  const [first, second] = [newRegion(STROKE, 1), newRegion(BOX, 1)];
  const answer = annotation(1, [stored(11, STROKE)]);
  const later = withIds(draft([first, second]), answer, draft([first]));
  expect(later).toMatchObject({ regions: [{ id: 11, shape_id: 111 }, { id: second.id, shape_id: null }] });
  const reshaped = withIds(draft([changedBy(first, { geometry: { points: [[2, 2]], radius: 3 } })]), answer, draft([first]));
  expect(reshaped).toMatchObject({ regions: [{ id: 11, shape_id: null }] });
});

test("matches: the answer to a lost request is known by what was sent", () => {
  const sent = draft([newRegion(STROKE, 1)]);
  const saved: Region = { ...stored(4), kind: "stroke", geometry: { radius: 3, points: [[1, 1], [9, 1]] } };
  expect(matches(annotation(2, [saved]), sent)).toBe(true);
  expect(matches(annotation(2, [{ ...saved, class_id: 2 }]), sent)).toBe(false);
  expect(matches(annotation(2, []), sent)).toBe(false);
});

test("replacing: what the server no longer knows is sent as new", () => {
  const after = replacing(draft([stored(1), stored(2)]), annotation(9, [stored(1)]));
  expect(after).toMatchObject({ regions: [{ id: 1, shape_id: 101 }, { shape_id: null, geometry: BOX.geometry }] });
  expect(after.kind === "points" && after.regions?.[1]?.id).toBeLessThan(0);
});

describe("AnnotationStore", () => {
  function opened(regions: readonly Region[]): { store: AnnotationStore; changes: AnnotationChange[] } {
    const store = new AnnotationStore();
    store.open(1, annotation(5, regions));
    const changes: AnnotationChange[] = [];
    store.onChange((change) => changes.push(change));
    return { store, changes };
  }

  test("edit: one step of its own; nothing changed is no step", () => {
    const { store, changes } = opened([stored(1)]);
    expect(store.edit({ regions: [...store.regions, newRegion(STROKE, 1)] })).toBe(true);
    expect(changes).toMatchObject([{ origin: "LOCAL", is_step: true }]);
    expect(store.edit({ regions: [...store.regions] })).toBe(false);
    expect(changes).toHaveLength(1);
  });

  test("acknowledge: local ids give way to the server's, and are named", () => {
    const { store, changes } = opened([]);
    const region = newRegion(STROKE, 1);
    store.edit({ regions: [region] });
    const sent = store.draft("points");
    store.edit({ regions: [...store.regions, newRegion(BOX, 1)] });
    store.acknowledge(1, sent, annotation(6, [stored(8, STROKE)]));
    expect(store.regions.map(({ id }) => id > 0)).toEqual([true, false]);
    expect(changes.at(-1)?.renamed).toEqual(new Map([[region.id, 8]]));
    expect(isFromServer(store.regions)).toBe(false);
  });

  test("what the server has is not sent again, what is not saved yet is", () => {
    const { store } = opened([stored(1)]);
    store.addPoint(1, 1, 1);
    expect(isFromServer(store.regions)).toBe(true);
    store.reapply(draft([newRegion(BOX, 1)]));
    expect(isFromServer(store.regions)).toBe(false);
  });

  test("receive: the geometry that is there stays the same object", () => {
    const { store } = opened([stored(1)]);
    store.receive(1, annotation(6, [{ ...stored(1), geometry: { x0: 0, y0: 0, x1: 5, y1: 5 } }]));
    expect(store.regions[0]?.geometry).toBe(BOX.geometry);
  });
});
