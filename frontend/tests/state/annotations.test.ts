import { beforeEach, describe, expect, test } from "vitest";

import { AnnotationStore, EMPTY_ANNOTATION, matches, nearestPoint, type AnnotationChange } from "../../src/state/annotations";
import type { Annotation, Point } from "../../src/state/types";

let store: AnnotationStore;
let changes: AnnotationChange[];

function point(x: number, y: number, class_id = 1, id: number | null = null): Point {
  return { id, x, y, class_id, origin: "human" };
}

function annotation(revision: number, points: readonly Point[]): Annotation {
  return { ...EMPTY_ANNOTATION, revision, points };
}

beforeEach(() => {
  store = new AnnotationStore();
  store.open(7, EMPTY_ANNOTATION);
  changes = [];
  store.onChange((change) => changes.push(change));
});

describe("AnnotationStore", () => {
  test("a point set here is one LOCAL change", () => {
    store.addPoint(3, 4, 2);
    expect(changes).toMatchObject([{ image_id: 7, origin: "LOCAL", created: [{ x: 3, y: 4, class_id: 2, id: null }], deleted: [] }]);
  });

  test("opening is SILENT, the server's word REMOTE: neither is saved again", () => {
    store.receive(7, annotation(3, [point(1, 1, 1, 5)]));
    store.open(8, EMPTY_ANNOTATION);
    expect(changes.map(({ origin }) => origin)).toEqual(["REMOTE", "SILENT"]);
  });

  test("the server's word on another image is not shown", () => {
    store.receive(99, annotation(3, [point(1, 1)]));
    expect(store.current.value.points).toEqual([]);
  });

  test("the same label again is no change, so no phantom undo step", () => {
    expect(store.setLabel(4)).toBe(true);
    expect(store.setLabel(4)).toBe(false);
    expect(changes).toHaveLength(1);
  });

  test("a label that was accepted becomes the person's own when chosen", () => {
    store.receive(7, { ...EMPTY_ANNOTATION, label: { class_id: 4, origin: "accepted" } });
    expect(store.setLabel(4)).toBe(true);
  });

  test("removing a point that is not there changes nothing", () => {
    store.removePoint(point(1, 1));
    expect(changes).toEqual([]);
  });

  test("acknowledge: the server's answer stands when nothing happened since", () => {
    store.addPoint(3, 4, 2);
    const sent = store.draft("points");
    store.acknowledge(7, sent, annotation(1, [point(3, 4, 2, 11)]));
    expect(store.current.value).toMatchObject({ revision: 1, points: [{ id: 11 }] });
  });

  test("acknowledge: what was done since stays, with ids for what was sent", () => {
    store.addPoint(3, 4, 2);
    const sent = store.draft("points");
    store.addPoint(5, 6, 1);
    store.acknowledge(7, sent, annotation(1, [point(3, 4, 2, 11)]));
    expect(store.current.value.revision).toBe(1);
    expect(store.current.value.points.map(({ id }) => id)).toEqual([11, null]);
  });

  test("reapply: shown, but not saved a second time", () => {
    store.reapply({ kind: "points", points: [point(1, 2)] });
    expect(store.current.value.points).toHaveLength(1);
    expect(changes.every(({ origin }) => origin !== "LOCAL")).toBe(true);
  });
});

describe("nearestPoint", () => {
  const points = [point(0, 0), point(10, 0), point(10, 0, 2)];

  test("the last drawn of equals", () => {
    expect(nearestPoint(points, 9, 0, 5)?.class_id).toBe(2);
  });

  test("none within the radius", () => {
    expect(nearestPoint(points, 5, 40, 12)).toBeNull();
  });
});

test("matches: order and ids do not matter", () => {
  const saved = annotation(2, [point(1, 1, 1, 8), point(2, 2, 1, 9)]);
  expect(matches(saved, { kind: "points", points: [point(2, 2), point(1, 1)] })).toBe(true);
  expect(matches(saved, { kind: "points", points: [point(2, 2), point(1, 1, 2)] })).toBe(false);
});
