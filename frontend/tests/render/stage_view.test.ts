import { beforeEach, expect, test, vi } from "vitest";

import { liesOnImage, placeOnImage, StageView } from "../../src/render/stage_view";

const FIRST = { image_id: 1, size: { width: 100, height: 100 } };
const SECOND = { image_id: 2, size: { width: 400, height: 100 } };
const changed = vi.fn();
let stage: StageView;

beforeEach(() => {
  changed.mockClear();
  stage = new StageView(changed);
  stage.resize({ width: 440, height: 440 });
  stage.setImage(FIRST);
  stage.painted();
});

test("setImage: another image is fitted, the same one keeps its place", () => {
  stage.zoom(2);
  const before = stage.view;
  expect([stage.setImage({ ...FIRST }), stage.view]).toEqual([false, before]);
  expect([stage.setImage(SECOND), stage.view.scale]).toEqual([true, 1]);
});

test("of: the image before lies where the last frame showed it, until the next but one is on screen", () => {
  stage.zoom(2);
  const zoomed = stage.view;
  stage.painted();
  stage.setImage(SECOND);
  expect([stage.of(1)?.view, stage.of(2)?.view, stage.of(3)]).toEqual([zoomed, stage.view, null]);
  stage.painted();
  expect(stage.of(1)?.view).toEqual(zoomed);
  stage.setImage({ ...SECOND, image_id: 3 });
  expect([stage.of(1), stage.of(2)?.view.scale]).toEqual([null, 1]);
});

test("of: an image that no frame showed lies nowhere once it is left", () => {
  stage.setImage(SECOND);
  stage.setImage({ ...SECOND, image_id: 3 });
  expect([stage.of(2), stage.of(1)?.image_id]).toEqual([null, 1]);
});

test("setImage: back before another image was painted, nothing moves", () => {
  stage.zoom(2);
  stage.painted();
  const zoomed = stage.view;
  stage.setImage(SECOND);
  stage.setImage(FIRST);
  expect(stage.view).toEqual(zoomed);
  stage.resize({ width: 640, height: 640 });
  expect(stage.view.scale).toBe(zoomed.scale);
});

test("resize: only what is fitted is fitted again", () => {
  stage.resize({ width: 240, height: 240 });
  expect(stage.view.scale).toBe(2);
  stage.pan([5, 0]);
  stage.resize({ width: 440, height: 440 });
  expect(stage.view.scale).toBe(2);
  expect(changed).toHaveBeenCalledOnce();
});

test("placeOnImage, liesOnImage: by the place that the image had", () => {
  stage.setImage(SECOND);
  const placed = stage.of(1);
  expect(placed && [placeOnImage(placed, [20, 420]), liesOnImage(placed, [20, 420]), liesOnImage(placed, [19, 20])]).toEqual([[0, 100], true, false]);
});
