import { beforeEach, expect, test } from "vitest";

import { OnScreen, type LeftImage } from "../../src/sync/on_screen";

const left = (id: number): LeftImage => ({ image: { id } }) as LeftImage;
let on_screen: OnScreen;

beforeEach(() => {
  on_screen = new OnScreen();
  on_screen.changes(1, null);
  on_screen.shown();
});

const leftNow = (): number | undefined => on_screen.leftAt(performance.now())?.image.id;

test("leftAt: the image before, until a frame shows the next one", () => {
  on_screen.changes(2, left(1));
  expect([leftNow(), on_screen.wasShown(performance.now())]).toEqual([1, false]);
  on_screen.shown();
  expect([leftNow(), on_screen.wasShown(performance.now())]).toEqual([undefined, true]);
});

test("leftAt: never an image that was not shown", () => {
  on_screen.changes(2, left(1));
  on_screen.changes(3, left(2));
  expect(leftNow()).toBe(1);
});

test("leftAt: the image that is opened again before a frame stayed on screen", () => {
  on_screen.changes(2, left(1));
  on_screen.changes(1, left(2));
  expect([leftNow(), on_screen.wasShown(performance.now())]).toEqual([undefined, true]);
  on_screen.changes(3, left(1));
  expect(leftNow()).toBe(1);
});

test("leftAt: nothing before the first image", () => {
  const fresh = new OnScreen();
  fresh.changes(1, null);
  expect([fresh.leftAt(0), fresh.wasShown(0), fresh.wasShown(Infinity)]).toEqual([null, false, true]);
});

test("imageAt, left: whose image a press belongs to", () => {
  const early = performance.now() - 1_000;
  on_screen.changes(2, left(1));
  expect([on_screen.imageAt(performance.now()), on_screen.left(1)?.image.id, on_screen.left(2)]).toEqual([1, 1, null]);
  on_screen.shown();
  expect([on_screen.imageAt(performance.now() + 1), on_screen.imageAt(early), on_screen.left(1)?.image.id]).toEqual([2, 1, 1]);
});

test("imageAt: none, before the first image was shown", () => {
  const fresh = new OnScreen();
  expect(fresh.imageAt(performance.now())).toBeNull();
  fresh.changes(1, null);
  expect(fresh.imageAt(performance.now())).toBeNull();
  fresh.shown();
  expect(fresh.imageAt(performance.now() + 1)).toBe(1);
});
