import { describe, expect, test } from "vitest";

import { parseColor, textOn } from "../../src/state/color";
import { VisitHistory } from "../../src/state/history";
import { areaShares, sortedBars } from "../../src/state/prediction";
import { DEFAULT_PREFERENCES, PreferenceStore } from "../../src/state/preferences";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import { memoryStorage } from "../memory_storage";

const CLASSES = [
  { id: 1, name: "a", color: "#ff0000", group: null },
  { id: 2, name: "b", color: "#00ff00", group: null },
  { id: 3, name: "c", color: "#0000ff", group: null },
];

describe("VisitHistory", () => {
  test("previous and next walk the images visited", () => {
    const visits = new VisitHistory();
    for (const id of [4, 9, 2]) visits.visit(id);
    expect([visits.back(), visits.back(), visits.back()]).toEqual([9, 4, null]);
    expect([visits.forward(), visits.forward(), visits.forward()]).toEqual([9, 2, null]);
  });

  test("an image opened from the middle forgets what lay ahead", () => {
    const visits = new VisitHistory();
    for (const id of [4, 9, 2]) visits.visit(id);
    visits.back();
    visits.visit(7);
    expect(visits.ids).toEqual([4, 9, 7]);
  });

  test("the open image again is no visit", () => {
    const visits = new VisitHistory();
    visits.visit(4);
    visits.visit(4);
    expect(visits.ids).toEqual([4]);
  });
});

describe("sortedBars", () => {
  test("most probable first, a class that the head does not know at the end with 0", () => {
    const bars = sortedBars(CLASSES, [{ class_id: 1, p: 0.2 }, { class_id: 3, p: 0.8 }]);
    expect(bars.map(({ label_class, p }) => [label_class.id, p])).toEqual([[3, 0.8], [1, 0.2], [2, 0]]);
  });
});

describe("areaShares", () => {
  const map = (values: number[]) => ({ width: values.length, height: 1, values: Uint8Array.from(values) });

  test("two classes: what is not the first is the second", () => {
    expect(areaShares(CLASSES.slice(0, 2), [{ class_id: 1, map: map([255, 0, 0, 200]) }])).toEqual([0.5, 0.5]);
  });

  test("more classes: the most likely of each cell", () => {
    const maps = [
      { class_id: 1, map: map([200, 20, 10, 90]) },
      { class_id: 3, map: map([20, 200, 200, 60]) },
    ];
    expect(areaShares(CLASSES, maps)).toEqual([0.5, 0, 0.5]);
  });
});

test("Signal: listeners hear changes only", () => {
  const signal = new Signal(1);
  const heard: number[] = [];
  const stop = signal.subscribe((value) => heard.push(value));
  signal.set(1);
  signal.set(2);
  stop();
  signal.set(3);
  expect(heard).toEqual([2]);
});

describe("colours", () => {
  test("parseColor: long, short, nonsense", () => {
    expect([parseColor("#0a10FF"), parseColor("#f00"), parseColor("red")]).toEqual([[10, 16, 255], [255, 0, 0], [128, 128, 128]]);
  });

  test("textOn: readable", () => {
    expect([textOn("#ffe066"), textOn("#102060")]).toEqual(["#000000", "#ffffff"]);
  });
});

describe("PreferenceStore", () => {
  test("survives a reload", () => {
    const storage = memoryStorage();
    new PreferenceStore(storage).change({ overlay_opacity: 0.8 });
    expect(new PreferenceStore(storage).value).toEqual({ ...DEFAULT_PREFERENCES, overlay_opacity: 0.8 });
  });

  test("a damaged entry gives the defaults", () => {
    expect(new PreferenceStore(memoryStorage({ "fewclick:preferences": "{" })).value).toEqual(DEFAULT_PREFERENCES);
  });
});

test("ToastStore: errors are sentences, and those of a step that led nowhere go with the next one", () => {
  const toasts = new ToastStore();
  toasts.show("error", "there is no image 999", { passing: true });
  toasts.show("error", "a.png cannot be read");
  expect(toasts.value.map(({ text }) => text)).toEqual(["There is no image 999.", "a.png cannot be read."]);
  toasts.moveOn();
  expect(toasts.value.map(({ text }) => text)).toEqual(["a.png cannot be read."]);
});

test("ToastStore: the same words again replace the first", () => {
  const toasts = new ToastStore();
  toasts.show("error", "no");
  toasts.show("error", "no");
  expect(toasts.value).toHaveLength(1);
});
