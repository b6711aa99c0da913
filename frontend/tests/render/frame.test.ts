import { expect, test } from "vitest";

import { showCanvas } from "../../src/render/frame";

function canvas(hidden: boolean): HTMLCanvasElement {
  return { hidden, width: 300, height: 200 } as HTMLCanvasElement;
}

test("showCanvas: without ink it is hidden and a pixel large", () => {
  const empty = canvas(false);
  expect(showCanvas(empty, false)).toBe(false);
  expect(empty).toEqual({ hidden: true, width: 1, height: 1 });
});

test("showCanvas: with ink it is shown, in the size that it has", () => {
  const inked = canvas(true);
  expect(showCanvas(inked, true)).toBe(true);
  expect(inked).toEqual({ hidden: false, width: 300, height: 200 });
});
