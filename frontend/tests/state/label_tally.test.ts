import { beforeEach, expect, test } from "vitest";

import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { LabelTally } from "../../src/state/label_tally";
import type { Region } from "../../src/state/regions";

let on_its_way: Set<number>;
let annotations: AnnotationStore;
let tally: LabelTally;

beforeEach(() => {
  on_its_way = new Set();
  annotations = new AnnotationStore();
  tally = new LabelTally((image_id) => on_its_way.has(image_id));
  annotations.onChange((change) => tally.note(change, annotations.current.value));
  annotations.open(1, EMPTY_ANNOTATION);
});

test("ahead: a label counts at once, and no more once the server has counted it", () => {
  annotations.setLabel(2);
  expect(tally.ahead.value).toBe(1);
  annotations.setLabel(3);
  expect(tally.ahead.value).toBe(1);
  tally.counted(tally.known());
  expect(tally.ahead.value).toBe(0);
});

test("ahead: what is undone counts no more, before and after the server has counted it", () => {
  annotations.setLabel(2);
  annotations.travel(EMPTY_ANNOTATION);
  expect(tally.ahead.value).toBe(0);
  annotations.setLabel(2);
  tally.counted(tally.known());
  annotations.travel(EMPTY_ANNOTATION);
  expect(tally.ahead.value).toBe(-1);
});

test("ahead: while the server is away, labels of all images stay counted here", () => {
  on_its_way.add(1).add(5);
  annotations.setLabel(2);
  tally.counted(tally.known());
  annotations.open(5, EMPTY_ANNOTATION);
  annotations.setLabel(2);
  expect(tally.ahead.value).toBe(2);
});

test("counted: what was said while the server counted stays", () => {
  const known = tally.known();
  annotations.setLabel(2);
  tally.counted(known);
  expect(tally.ahead.value).toBe(1);
});

test("ahead: an image that is opened with its label is none of ours", () => {
  annotations.open(6, { ...EMPTY_ANNOTATION, label: { class_id: 2, origin: "human" } });
  expect(tally.ahead.value).toBe(0);
});

test("ahead: an eraser alone is no label, as the server counts", () => {
  const eraser: Region = { id: -1, kind: "stroke", class_id: null, origin: "human", shape_id: null, geometry: [] } as unknown as Region;
  annotations.edit({ regions: [eraser] });
  expect(tally.ahead.value).toBe(0);
  annotations.edit({ regions: [eraser, { ...eraser, id: -2, class_id: 1 }] });
  expect(tally.ahead.value).toBe(1);
});
