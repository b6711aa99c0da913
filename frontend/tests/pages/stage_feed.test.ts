import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { App } from "../../src/app";
import { StageFeed } from "../../src/pages/labeling/stage_feed";
import type { ImageStage } from "../../src/render/image_stage";
import { PreferenceStore } from "../../src/state/preferences";
import { Signal } from "../../src/state/signal";
import type { LeftImage } from "../../src/sync/on_screen";
import { OnScreen } from "../../src/sync/on_screen";
import { memoryStorage } from "../memory_storage";

let frames: (() => void)[];
let opened: Signal<{ image: { id: number }; bitmap: null } | null>;
let on_screen: OnScreen;
let feed: StageFeed;

function open(id: number): void {
  const before = opened.value?.image.id;
  on_screen.changes(id, before === undefined ? null : ({ image: { id: before } } as LeftImage));
  opened.set({ image: { id }, bitmap: null });
}

function frame(): void {
  for (const run of frames.splice(0)) run();
}

beforeEach(() => {
  frames = [];
  vi.stubGlobal("requestAnimationFrame", (run: () => void) => frames.push(run));
  opened = new Signal<{ image: { id: number }; bitmap: null } | null>(null);
  on_screen = new OnScreen();
  const navigator = {
    opened, on_screen, loading: new Signal(false), asked_at_ms: 0,
    get image() {
      return opened.value?.image ?? null;
    },
  }; // prettier-ignore
  const nothing = new Signal(null);
  const app = {
    navigator, annotations: { current: nothing, regions: [] }, tools: { hidden: new Signal(new Set()) }, predictions: { shown: nothing }, only_class: null, classes: nothing, ui: { overlay_hidden: nothing },
    preferences: new PreferenceStore(memoryStorage()), picture_view: { tones: nothing, shown_look: new Signal("") },
  }; // prettier-ignore
  const stage = new Proxy({}, { get: () => () => undefined, set: () => true });
  feed = new StageFeed(app as unknown as App, stage as unknown as ImageStage);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test("show: an image counts as shown from the frame that shows it", () => {
  open(1);
  feed.show();
  expect(on_screen.wasShown(performance.now())).toBe(false);
  frame();
  expect(on_screen.wasShown(performance.now())).toBe(true);
});

test("show: there and back within one drawing counts as shown, and so does the return after a drawing", () => {
  open(1);
  feed.show();
  frame();
  open(2);
  open(1);
  feed.show();
  frame();
  expect([on_screen.leftAt(performance.now()), on_screen.wasShown(performance.now())]).toEqual([null, true]);
  // As if the way back had begun where nothing was on screen.
  on_screen.changes(9, null);
  on_screen.changes(1, null);
  opened.set({ image: { id: 1 }, bitmap: null });
  feed.show();
  frame();
  expect(on_screen.wasShown(performance.now())).toBe(true);
});

test("show: not by the frame of an image that was left before it", () => {
  open(1);
  feed.show();
  open(2);
  frame();
  expect(on_screen.wasShown(performance.now())).toBe(false);
});
