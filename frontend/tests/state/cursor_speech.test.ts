import { describe, expect, test } from "vitest";

import { AnnotationStore, EMPTY_ANNOTATION, type AnnotationChange } from "../../src/state/annotations";
import { changeText, pressText, toolText, whereText, type Pressed } from "../../src/state/cursor_speech";
import { predictedClassAt } from "../../src/state/predicted_region";
import type { ShownPrediction } from "../../src/state/prediction";
import { newRegion } from "../../src/state/regions";
import { NOTHING_SELECTED } from "../../src/state/tools";

const classes = [
  { id: 1, name: "nuclei", color: "#00ff00", group: null },
  { id: 2, name: "background", color: "#ff0000", group: null },
];

function said(work: (store: AnnotationStore) => void): string[] {
  const store = new AnnotationStore();
  const texts: string[] = [];
  store.open(7, EMPTY_ANNOTATION);
  store.onChange((change: AnnotationChange) => texts.push(changeText(change, store.current.value, classes)));
  work(store);
  return texts;
}

describe("whereText", () => {
  test("the pixel, what is predicted there, the point within reach", () => {
    const at = { at: [120.5, 84.5], predicted: { class_id: 1, p: 0.917 }, point_class_id: 2 } as const;
    expect(whereText(at, classes)).toBe("120, 84: predicted nuclei 92 %, point of background");
    expect(whereText({ ...at, predicted: null, point_class_id: null }, classes)).toBe("120, 84");
  });
});

describe("changeText", () => {
  test("points, one or several", () => {
    const texts = said((store) => {
      store.addPoint(120.5, 84.5, 1);
      store.current.value.points.forEach((point) => store.removePoint(point));
      store.edit({ points: [1, 2, 3].map((x) => ({ id: null, x, y: 1, class_id: 2, origin: "human" })) });
    });
    expect(texts).toEqual(["Point of class nuclei set at 120, 84.", "Point of class nuclei removed at 120, 84.", "3 points set."]);
  });

  test("regions: drawn, erased, moved, removed; an answer of the server that changes none is silent", () => {
    const box = newRegion({ kind: "box", geometry: { x0: 1, y0: 1, x1: 9, y1: 9 } }, 1);
    const eraser = newRegion({ kind: "stroke", geometry: { points: [[1, 1]], radius: 3 } }, null);
    const texts = said((store) => {
      store.edit({ regions: [box] });
      store.edit({ regions: [box, eraser] });
      store.edit({ regions: [{ ...box, geometry: { x0: 2, y0: 1, x1: 10, y1: 9 } }, eraser] });
      store.edit({ regions: [eraser] });
      store.receive(7, { ...store.current.value, revision: 4, regions: [{ ...eraser, id: 31 }] });
    });
    expect(texts).toEqual(["Box of class nuclei added.", "Erased.", "1 region changed.", "1 region removed.", ""]);
  });
});

describe("pressText", () => {
  const pressed: Pressed = { tool: "brush", at: [3.5, 4.5], is_held: true, selection: NOTHING_SELECTED, corners: 0, correction: "accept", predicted_class_id: 1 };
  test.each<[string, Partial<Pressed>]>([
    ["Stroke begun at 3, 4. Enter ends it.", {}],
    ["Erasing from 3, 4. Enter ends it.", { tool: "eraser" }],
    ["First corner at 3, 4. Enter sets the second one.", { tool: "box" }],
    ["No box: its corners are at one place.", { tool: "box", is_held: false }],
    ["Corner 1 at 3, 4.", { tool: "polygon", is_held: false, corners: 1 }],
    ["Corner 3 at 3, 4. Enter again, at the same place, closes it.", { tool: "polygon", is_held: false, corners: 3 }],
    ["A frame begins at 3, 4. Enter selects what is in it.", { tool: "select" }],
    ["Nothing selected.", { tool: "select", is_held: false }],
    ["1 point and 2 regions selected. Arrow keys move it, Enter lets go.", { tool: "select", selection: { points: [0], regions: [4, 5] } }],
    ["1 point selected. Del removes it.", { tool: "select", is_held: false, selection: { points: [0], regions: [] } }],
    ["Filling the region of nuclei at 3, 4.", { tool: "correct", is_held: false, correction: "fill" }],
    ["", { tool: "correct", is_held: false, predicted_class_id: null }],
    ["The hand sets nothing. Choose a tool.", { tool: "hand", is_held: false }],
  ])("%s", (text, changes) => expect(pressText({ ...pressed, ...changes }, classes)).toBe(text));
});

test("toolText: the tool, and the class that it draws", () => {
  expect([toolText("brush", 2, classes), toolText("select", null, classes)]).toEqual(["Brush, class background", "Select"]);
});

test("predictedClassAt: of two classes by the map of one, of more by the highest", () => {
  const shown = (maps: readonly (readonly [number, readonly number[]])[]): ShownPrediction => ({
    image_id: 1, version: 1, annotation_revision: 1, probabilities: [], refined: false,
    maps: maps.map(([class_id, values]) => ({ class_id, map: { width: 2, height: 1, values: Uint8Array.from(values) } })),
  }); // prettier-ignore
  const size = { width: 20, height: 10 };
  expect(predictedClassAt(shown([[1, [255, 51]]]), classes, size, [3, 3])).toEqual({ class_id: 1, p: 1 });
  expect(predictedClassAt(shown([[1, [255, 51]]]), classes, size, [13, 3])).toEqual({ class_id: 2, p: 0.8 });
  const three = [...classes, { id: 3, name: "other", color: "#0000ff", group: null }];
  expect(predictedClassAt(shown([[1, [50, 0]], [2, [102, 0]], [3, [20, 0]]]), three, size, [3, 3])).toEqual({ class_id: 2, p: 0.4 });
  expect([predictedClassAt(shown([]), classes, size, [3, 3]), predictedClassAt(shown([[1, [1, 1]]]), classes, size, [21, 3])]).toEqual([null, null]);
});
