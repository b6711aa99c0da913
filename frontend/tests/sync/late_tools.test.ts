import { beforeEach, expect, test, vi } from "vitest";

import type { AcceptedRegion, Api } from "../../src/api/client";
import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import type { ShownPrediction } from "../../src/state/prediction";
import { PreferenceStore } from "../../src/state/preferences";
import { newRegion } from "../../src/state/regions";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import { ToolState } from "../../src/state/tools";
import type { Annotation, Draft, ImageInfo, Point, Task } from "../../src/state/types";
import { Labelling } from "../../src/sync/labelling";
import type { Navigator } from "../../src/sync/navigator";
import { OnScreen, type LeftImage } from "../../src/sync/on_screen";
import type { PredictionWatch } from "../../src/sync/prediction_watch";
import { RegionWork } from "../../src/sync/regions";
import { SaveQueue } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

const CLASSES = [1, 2].map((id) => ({ id, name: `class ${id}`, color: "#ffffff", group: null }));
const SEEN: Point = { id: 7, x: 1, y: 1, class_id: 1, origin: "human" };

/** By image. */
let server: Map<number, Annotation>;
let annotations: AnnotationStore;
let toasts: ToastStore;
let labelling: Labelling;
let regions: RegionWork;
let saves: SaveQueue;
let asked: unknown[];
/** Image 1, which is still on screen; image 2 is open. */
let left: LeftImage;
let now: number;

function put(image_id: number, draft: Draft): Promise<Annotation> {
  const { revision } = server.get(image_id) ?? EMPTY_ANNOTATION;
  const said = draft.kind === "points" ? { points: draft.points, regions: draft.regions ?? [] } : {};
  server.set(image_id, { ...EMPTY_ANNOTATION, ...said, revision: revision + 1, can_undo: true });
  return Promise.resolve(server.get(image_id) ?? EMPTY_ANNOTATION);
}

function changed(image_id: number, ...what: unknown[]): Promise<Annotation> {
  asked.push([image_id, ...what]);
  return put(image_id, { kind: "points", points: server.get(image_id)?.points ?? [] });
}

beforeEach(() => {
  asked = [];
  server = new Map([[1, { ...EMPTY_ANNOTATION, revision: 4, points: [SEEN] }]]);
  annotations = new AnnotationStore();
  toasts = new ToastStore();
  const api: Partial<Api> = {
    extractPoints: (image_id, revision) => changed(image_id, "extract", revision),
    acceptRegion: (image_id, accepted: AcceptedRegion, revision) => changed(image_id, accepted, revision),
  };
  const on_screen = new OnScreen();
  const image = (id: number): ImageInfo => ({ id, features: "ready" }) as ImageInfo;
  const navigator = { image: image(2), loading: new Signal(false), on_screen, invalidate: () => undefined, forget: () => undefined };
  const shown = new Signal<ShownPrediction | null>(null);
  const predictions = { expect: () => undefined, shown } as unknown as PredictionWatch;
  saves = new SaveQueue(put, {
    saved: (...args) => labelling.outcomes.saved(...args),
    changed: (...args) => labelling.outcomes.changed(...args),
    conflict: (...args) => labelling.outcomes.conflict(...args),
    rejected: (...args) => labelling.outcomes.rejected(...args),
  }, memoryStorage(), "unsaved"); // prettier-ignore
  labelling = new Labelling(
    api as Api, new Signal<Task>("segmentation"), new Signal(CLASSES), annotations, saves, navigator as unknown as Navigator, predictions,
    new PreferenceStore(memoryStorage()), toasts,
  ); // prettier-ignore
  labelling.selected_class_id.set(1);
  regions = new RegionWork(annotations, labelling, new ToolState(), new Signal(CLASSES), predictions, toasts);
  on_screen.changes(1, null);
  on_screen.shown();
  now = performance.now();
  const prediction = { image_id: 1, version: 9, maps: [{}] } as unknown as ShownPrediction;
  left = { image: image(1), annotation: server.get(1) ?? EMPTY_ANNOTATION, prediction };
  on_screen.changes(2, left);
  annotations.open(2, EMPTY_ANNOTATION);
});

async function settled(): Promise<void> {
  await vi.waitUntil(() => saves.status.value === "saved");
}

const points = (image_id: number): number[] => (server.get(image_id)?.points ?? []).map(({ x }) => x);
const told = (): string[] => toasts.value.map(({ text }) => text);

test("addPoint, removeOrAddOther: on the image that was left, one after the other, with what was said of it", async () => {
  labelling.addPoint(5, 5, undefined, left);
  labelling.removeOrAddOther(9, 9, 2, left);
  labelling.removeOrAddOther(5, 5, 2, left);
  await settled();
  expect([points(1), points(2)]).toEqual([[1, 9], []]);
  expect(server.get(1)?.points.map(({ class_id }) => class_id)).toEqual([1, 2]);
  expect(told()).toEqual([
    "“Point” went to image 1: it was still on screen.",
    "“Remove the point” went to image 1: it was still on screen.",
  ]);
  expect(annotations.current.value).toEqual(EMPTY_ANNOTATION);
});

test("removeNearest: Delete takes the point of the image that was on screen", async () => {
  labelling.removeNearest([30, 30], now);
  await settled();
  expect([points(1), annotations.current.value.points]).toEqual([[], []]);
});

test("paint, erase: regions of the image that was left, each a step", async () => {
  regions.paint({ kind: "box", geometry: { x0: 1, y0: 1, x1: 4, y1: 4 } }, undefined, left);
  expect(regions.canErase(left)).toBe(true);
  regions.erase({ kind: "stroke", geometry: { points: [[2, 2]], radius: 1 } }, left);
  await settled();
  expect(server.get(1)?.regions?.map(({ kind, class_id }) => [kind, class_id])).toEqual([["box", 1], ["stroke", null]]);
  expect([server.get(1)?.revision, points(1), annotations.regions]).toEqual([6, [1], []]);
});

test("canErase: by the regions of the image that was left", () => {
  annotations.open(2, { ...EMPTY_ANNOTATION, regions: [newRegion({ kind: "box", geometry: { x0: 1, y0: 1, x1: 4, y1: 4 } }, 1)] });
  expect([regions.canErase(), regions.canErase(left)]).toEqual([true, false]);
});

test("correct, extractPoints: by the prediction that was on screen", async () => {
  await regions.correct([3, 3], "fill", 1, left);
  await labelling.extractPoints(now);
  await settled();
  expect(asked).toEqual([[1, { version: 9, at: [3, 3], class_id: null, fill_holes: true }, 4], [1, "extract", 5]]);
  expect(told()[0]).toBe("“Predicted region” went to image 1: it was still on screen.");
});

test("correct, extractPoints: nothing without a prediction that was on screen", async () => {
  await regions.correct([3, 3], "accept", null, { ...left, prediction: null });
  expect([asked, told()]).toEqual([[], ["There is no prediction to correct yet."]]);
});
