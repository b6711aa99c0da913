import { describe, expect, test } from "vitest";

import { cursorKeyOf, isCursorKey, isInSight, onPixel, stepLength, stepped, visibleMiddle } from "../../src/state/stage_cursor";
import { revealed } from "../../src/state/viewport";

const image = { width: 100, height: 50 };
const stage = { width: 400, height: 200 };
const bare = { ctrl: false, shift: false, alt: false };

describe("cursorKeyOf", () => {
  test.each([
    ["an arrow", { ...bare, key: "ArrowLeft" }, { kind: "move", direction: [-1, 0], pace: "short" }],
    ["with Shift", { ...bare, key: "ArrowDown", shift: true }, { kind: "move", direction: [0, 1], pace: "long" }],
    ["with Ctrl", { ...bare, key: "ArrowUp", ctrl: true }, { kind: "move", direction: [0, -1], pace: "pixel" }],
    ["Enter", { ...bare, key: "Enter" }, { kind: "press", shift: false }],
    ["Space", { ...bare, key: " " }, { kind: "press", shift: false }],
    ["Shift+Space", { ...bare, key: " ", shift: true }, { kind: "press", shift: true }],
  ])("%s", (_, stroke, meant) => expect(cursorKeyOf(stroke)).toEqual(meant));

  test.each([
    ["Shift+Enter accepts the region", { ...bare, key: "Enter", shift: true }],
    ["Ctrl+Enter accepts the prediction and goes on", { ...bare, key: "Enter", ctrl: true }],
    ["Alt+← is the browser's way back", { ...bare, key: "ArrowLeft", alt: true }],
    ["letters are commands", { ...bare, key: "f" }],
  ])("%s: not the cursor's", (_, stroke) => expect(cursorKeyOf(stroke)).toBeNull());
});

test("stepLength: the same way on screen at any zoom, whole pixels, a long one longer however near one is", () => {
  expect([stepLength("short", 0.1), stepLength("short", 4), stepLength("short", 30)]).toEqual([40, 1, 1]);
  expect([stepLength("long", 0.1), stepLength("long", 4), stepLength("long", 30)]).toEqual([400, 10, 5]);
  expect(stepLength("pixel", 0.01)).toBe(1);
});

test("stepped: from pixel centre to pixel centre, never beyond the image", () => {
  expect(stepped([10.5, 10.5], [1, 0], 3, image)).toEqual([13.5, 10.5]);
  expect(stepped([98.5, 10.5], [1, 0], 40, image)).toEqual([99.5, 10.5]);
  expect(stepped([1.5, 1.5], [0, -1], 40, image)).toEqual([1.5, 0.5]);
  expect(onPixel([-3, 70], image)).toEqual([0.5, 49.5]);
});

test("visibleMiddle: of the part in sight; of all of a fitted image", () => {
  expect(visibleMiddle({ scale: 4, x: 0, y: 0 }, stage, image)).toEqual([50.5, 25.5]);
  expect(visibleMiddle({ scale: 16, x: 0, y: 0 }, stage, image)).toEqual([12.5, 6.5]);
  expect(isInSight([12.5, 6.5], { scale: 16, x: 0, y: 0 }, stage)).toBe(true);
  expect(isInSight([50.5, 6.5], { scale: 16, x: 0, y: 0 }, stage)).toBe(false);
});

test("revealed: moved no further than it takes, and not at all where the place is in sight", () => {
  const view = { scale: 16, x: 0, y: 0 };
  expect(revealed(view, [10.5, 5.5], 16, stage, image)).toBe(view);
  const moved = revealed(view, [30.5, 5.5], 16, stage, image);
  expect([moved.x, moved.y]).toEqual([400 - 16 - 30.5 * 16, 0]);
  expect(revealed(view, [0.5, 0.5], 16, stage, image)).toEqual({ scale: 16, x: 8, y: 8 });
});

test("isCursorKey: arrows everywhere, Enter where there is something to press, no other command of Enter", () => {
  const of = (task: "segmentation" | "classification"): boolean[] => ["ArrowLeft", "Shift+ArrowRight", "Enter", "Ctrl+Enter", "Shift+Enter", "f", "+"].map((key) => isCursorKey(key, task));
  expect(of("segmentation")).toEqual([true, true, true, false, false, false, false]);
  expect(of("classification")).toEqual([true, true, false, false, false, false, false]);
});
