import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import type { ShownPrediction } from "../../src/state/prediction";
import { PreferenceStore } from "../../src/state/preferences";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import type { Annotation, Draft, ImageDetails, Task } from "../../src/state/types";
import { Labelling } from "../../src/sync/labelling";
import { Navigator } from "../../src/sync/navigator";
import { PictureCache } from "../../src/sync/picture_cache";
import { PredictionWatch } from "../../src/sync/prediction_watch";
import { SaveQueue, type SaveListener } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

const LOAD_MS = 60;
const CLASSES = [1, 2, 3].map((id) => ({ id, name: `class ${id}`, color: "#ffffff", group: null }));

let saved: Map<number, Annotation>;
let navigator: Navigator;
let labelling: Labelling;
let toasts: ToastStore;
let predictions: PredictionWatch;
/** Image and version. */
let accepted: [number, number][];

function image(id: number): ImageDetails {
  return {
    id, path: `${id}.png`, width: 8, height: 8, status: "unlabeled", features: "ready", failure: null,
    revision: 0, class_id: null, class_ids: null, point_count: 0, uncertainty: null, predicted_class_id: null,
    previous_id: null, next_id: null,
  }; // prettier-ignore
}

async function after<T>(ms: number, make: () => T): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return make();
}

function put(image_id: number, draft: Draft): Promise<Annotation> {
  return after(20, () => {
    const revision = (saved.get(image_id)?.revision ?? 0) + 1;
    const class_ids = draft.kind === "classes" ? (draft.class_ids ?? []) : [];
    const aside = draft.kind === "aside" ? { [draft.as]: true } : {};
    const said = {
      ...aside,
      label: draft.kind === "label" && draft.class_id !== null ? { class_id: draft.class_id, origin: "human" as const } : null,
      labels: draft.kind === "classes" ? class_ids.map((class_id) => ({ class_id, origin: "human" as const })) : null,
    };
    saved.set(image_id, { ...EMPTY_ANNOTATION, ...said, revision, can_undo: true });
    return saved.get(image_id) ?? EMPTY_ANNOTATION;
  });
}

async function start(task: Task): Promise<void> {
  const state = (id: number): Annotation => saved.get(id) ?? EMPTY_ANNOTATION;
  const api: Partial<Api> = {
    image: (id) => after(LOAD_MS, () => image(id)),
    annotation: (id) => after(LOAD_MS, () => state(id)),
    imageFile: () => after(LOAD_MS, () => new Blob()),
    acceptPrediction: (id, version) => {
      accepted.push([id, version]);
      return after(20, () => ({ ...EMPTY_ANNOTATION, label: { class_id: 1, origin: "accepted" as const }, revision: state(id).revision + 1 }));
    },
    undo: (id) => after(20, () => ({ ...EMPTY_ANNOTATION, revision: state(id).revision + 1 })),
    upcomingImages: () => Promise.resolve([]),
    nextImage: (_strategy, current_id) => Promise.resolve(image((current_id ?? 0) + 1)),
  };
  const annotations = new AnnotationStore();
  const listener: SaveListener = {
    saved: (...args) => labelling.outcomes.saved(...args),
    changed: (...args) => labelling.outcomes.changed(...args),
    conflict: (...args) => labelling.outcomes.conflict(...args),
    rejected: (...args) => labelling.outcomes.rejected(...args),
  };
  toasts = new ToastStore();
  const saves = new SaveQueue(put, listener, memoryStorage(), "unsaved");
  predictions = new PredictionWatch(api as Api, new Signal([]), new Signal(true), () => false);
  navigator = new Navigator(api as Api, annotations, new PictureCache(api as Api), predictions, saves, toasts);
  labelling = new Labelling(
    api as Api, new Signal(task), new Signal(CLASSES), annotations, saves, navigator, predictions, new PreferenceStore(memoryStorage()), toasts,
  ); // prettier-ignore
  void navigator.open(1);
  await vi.advanceTimersByTimeAsync(500);
  navigator.on_screen.shown();
}

/** As a person sees it: a frame shows the open image. */
async function untilShown(image_id: number): Promise<void> {
  await vi.waitUntil(() => navigator.image?.id === image_id);
  navigator.on_screen.shown();
}

/** Images 2 and 3 open without a wait from now on; image 1 is on screen. */
async function openAtHand(): Promise<void> {
  for (const id of [2, 3, 1]) {
    void navigator.open(id);
    await vi.advanceTimersByTimeAsync(500);
    navigator.on_screen.shown();
  }
}

const press = (class_id: number): void => labelling.chooseClass(class_id, performance.now());
const labels = (): (number | undefined)[] => [1, 2, 3].map((id) => saved.get(id)?.label?.class_id);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("createImageBitmap", () => Promise.resolve({ width: 8, height: 8 }));
  saved = new Map();
  accepted = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a key while the next image is on its way counts for the one on screen, and goes on only once", async () => {
  await start("classification");
  press(1);
  await vi.advanceTimersByTimeAsync(15);
  press(2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(navigator.image?.id).toBe(2);
  expect(labels()).toEqual([2, undefined, undefined]);
  expect(toasts.value.map(({ text }) => text)).toEqual(["“class 2” went to image 1: it was still on screen."]);
});

test("a key that was pressed before a frame showed the next image counts for the one before; none is lost", async () => {
  await start("classification");
  press(1);
  await vi.waitUntil(() => navigator.image?.id === 2);
  press(3);
  await vi.advanceTimersByTimeAsync(20);
  navigator.on_screen.shown();
  await vi.advanceTimersByTimeAsync(20);
  press(2);
  await untilShown(3);
  press(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(labels()).toEqual([3, 2, 1]);
});

test("a page that was busy counts a key for the image at the time of the press", async () => {
  await start("classification");
  const pressed_at = performance.now() + 1;
  press(1);
  await untilShown(2);
  labelling.chooseClass(2, pressed_at);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(labels()).toEqual([2, undefined, undefined]);
  const undone = labelling.undo();
  await vi.advanceTimersByTimeAsync(1_000);
  await undone;
  expect(navigator.image?.id).toBe(1);
});

test("several classes: each toggles what was on screen", async () => {
  await start("multilabel");
  press(1);
  void navigator.next();
  await vi.advanceTimersByTimeAsync(5);
  press(2);
  await vi.waitUntil(() => navigator.image?.id === 2);
  press(3);
  press(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(saved.get(1)?.labels?.map(({ class_id }) => class_id)).toEqual([2, 3]);
  expect(saved.has(2)).toBe(false);
});

test("of two images opened before a frame, none was seen: keys count for the one before them", async () => {
  await start("classification");
  await openAtHand();
  void navigator.open(2);
  void navigator.open(3);
  press(2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(navigator.image?.id).toBe(3);
  expect(labels()).toEqual([2, undefined, undefined]);
});

test("there and back before a frame: keys count for the image that stayed on screen, and for it again as the next one comes", async () => {
  await start("classification");
  await openAtHand();
  void navigator.open(2);
  void navigator.open(1);
  press(2);
  await vi.advanceTimersByTimeAsync(15);
  expect(navigator.image?.id).toBe(1);
  void navigator.open(3);
  press(3);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(labels()).toEqual([3, undefined, undefined]);
});

test("an image is set aside, cleared, or answered with none, if it was on screen", async () => {
  await start("multilabel");
  await openAtHand();
  void navigator.open(2);
  labelling.chooseNone(performance.now());
  await vi.advanceTimersByTimeAsync(100);
  expect([saved.get(1)?.labels, saved.has(2)]).toEqual([[], false]);
  await labelling.markUndetermined(performance.now());
  await vi.advanceTimersByTimeAsync(100);
  expect([saved.get(1)?.undetermined, saved.has(2), navigator.image?.id]).toEqual([true, false, 2]);
  await labelling.skip(performance.now());
  await vi.advanceTimersByTimeAsync(100);
  expect([saved.get(1)?.skipped, saved.has(2), navigator.image?.id]).toEqual([true, false, 2]);
  labelling.chooseClass(3, performance.now());
  labelling.removeNearest(null, performance.now());
  await vi.advanceTimersByTimeAsync(100);
  expect([saved.get(1)?.skipped, saved.get(1)?.labels, saved.has(2)]).toEqual([false, [], false]);
  expect(toasts.value.at(-1)?.text).toBe("“No label” went to image 1: it was still on screen.");
});

test("an image is set aside once, however fast the key comes again", async () => {
  await start("classification");
  void labelling.skip(performance.now());
  await vi.advanceTimersByTimeAsync(15);
  void labelling.skip(performance.now());
  await vi.waitUntil(() => navigator.image?.id === 2);
  void labelling.skip(performance.now());
  await vi.advanceTimersByTimeAsync(1_000);
  expect([...saved.keys()]).toEqual([1]);
  expect(navigator.image?.id).toBe(2);
});

test("no prediction is accepted of an image that no frame has shown", async () => {
  await start("classification");
  await openAtHand();
  void navigator.open(2);
  predictions.shown.set({ image_id: 2, version: 7, maps: [], refined: true } as unknown as ShownPrediction);
  await labelling.accept(true, performance.now());
  expect([accepted, navigator.image?.id]).toEqual([[], 2]);
  expect(toasts.value.map(({ text }) => text)).toEqual(["Nothing was accepted: image 1 was still on screen, and was left already."]);
  await vi.advanceTimersByTimeAsync(20);
  navigator.on_screen.shown();
  void labelling.accept(false, performance.now());
  await vi.advanceTimersByTimeAsync(100);
  expect(accepted).toEqual([[2, 7]]);
});
