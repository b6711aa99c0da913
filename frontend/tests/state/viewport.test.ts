import { describe, expect, test } from "vitest";

import { fit, imageToStage, MAX_SCALE, pan, stageToImage, zoomAt, type Viewport } from "../../src/state/viewport";

const stage = { width: 900, height: 600 };
const image = { width: 400, height: 300 };

describe("fit", () => {
  test("the whole image is in sight, centred", () => {
    const view = fit(stage, image);
    expect(image.width * view.scale).toBeLessThanOrEqual(stage.width);
    expect(image.height * view.scale).toBeLessThanOrEqual(stage.height);
    expect(view.x + (image.width * view.scale) / 2).toBeCloseTo(stage.width / 2);
    expect(view.y + (image.height * view.scale) / 2).toBeCloseTo(stage.height / 2);
  });

  test("a tiny image never grows beyond the largest scale", () => {
    expect(fit({ width: 5_000, height: 5_000 }, { width: 4, height: 4 }).scale).toBe(MAX_SCALE);
  });
});

describe("zoomAt", () => {
  test("the image point under the pointer stays there", () => {
    const view = fit(stage, image);
    const anchor = [333, 217] as const;
    const before = stageToImage(view, anchor);
    const after = stageToImage(zoomAt(view, 1.7, anchor, stage, image), anchor);
    expect(after[0]).toBeCloseTo(before[0], 6);
    expect(after[1]).toBeCloseTo(before[1], 6);
  });

  test("in and out again gives the same view", () => {
    const view = fit(stage, image);
    const there = zoomAt(view, 2, [450, 300], stage, image);
    const back = zoomAt(there, 0.5, [450, 300], stage, image);
    expect(back.scale).toBeCloseTo(view.scale);
    expect(back.x).toBeCloseTo(view.x);
  });
});

test("pan: the image cannot be lost out of sight", () => {
  const view = pan(fit(stage, image), [100_000, -100_000], stage, image);
  const [right, bottom] = imageToStage(view, [image.width, image.height]);
  expect(view.x).toBeLessThan(stage.width);
  expect(right).toBeGreaterThan(0);
  expect(bottom).toBeGreaterThan(0);
});

test("stageToImage: inverse of imageToStage", () => {
  const view: Viewport = { scale: 3.25, x: -17, y: 41 };
  const [x, y] = stageToImage(view, imageToStage(view, [12.5, 99]));
  expect(x).toBeCloseTo(12.5);
  expect(y).toBeCloseTo(99);
});
