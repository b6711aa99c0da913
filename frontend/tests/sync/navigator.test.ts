import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import type { Annotation, ImageDetails } from "../../src/state/types";
import { Calm } from "../../src/sync/calm";
import { Navigator } from "../../src/sync/navigator";
import { PictureCache } from "../../src/sync/picture_cache";
import { PredictionWatch } from "../../src/sync/prediction_watch";
import { SaveQueue } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

let queue: number[];
let stored: Annotation;
let asked: (number | null)[];
let searches: string[];
let answer_save: ((annotation: Annotation) => void) | null;
let annotations: AnnotationStore;
let saves: SaveQueue;
let toasts: ToastStore;
let navigator: Navigator;
let calm: Calm;
/** Of images that differ from `image(id)`. */
let changed: Map<number, Partial<ImageDetails>>;

function image(id: number): ImageDetails {
  return {
    id, path: `folder/${id}.png`, width: 8, height: 8, status: "unlabeled", features: "ready", failure: null,
    revision: 0, class_id: null, class_ids: null, point_count: 0, uncertainty: null, predicted_class_id: null,
    previous_id: id > 1 ? id - 1 : null, next_id: id < 9 ? id + 1 : null,
  }; // prettier-ignore
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("createImageBitmap", () => Promise.resolve({ width: 8, height: 8 }));
  queue = [];
  asked = [];
  searches = [];
  stored = EMPTY_ANNOTATION;
  answer_save = null;
  changed = new Map();
  const api: Pick<Api, "image" | "images" | "annotation" | "imageFile" | "nextImage" | "upcomingImages"> = {
    image: (id) => Promise.resolve({ ...image(id), ...changed.get(id) }),
    images: ({ q, ids = [] }) => {
      searches.push(q ?? `ids ${ids.join()}`);
      const items = q === "seven" ? [image(7)] : ids.filter((id) => id <= 9).map((id) => image(id));
      return Promise.resolve({ items, next_cursor: null, total: null });
    },
    annotation: () => Promise.resolve(stored),
    imageFile: () => Promise.resolve(new Blob()),
    upcomingImages: () => Promise.resolve(queue.map(image)),
    nextImage: (_strategy, current_id) => {
      asked.push(current_id);
      const id = queue.shift();
      return Promise.resolve(id === undefined ? null : image(id));
    },
  };
  annotations = new AnnotationStore();
  toasts = new ToastStore();
  const put = (): Promise<Annotation> => new Promise((resolve) => (answer_save = resolve));
  saves = new SaveQueue(put, { saved: vi.fn(), changed: vi.fn(), conflict: vi.fn(), rejected: vi.fn() }, memoryStorage(), "unsaved");
  const predictions = new PredictionWatch(api as Api, new Signal([]), new Signal(true), () => false);
  calm = new Calm();
  navigator = new Navigator(api as Api, annotations, new PictureCache(api as Api), predictions, saves, toasts, calm);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("Navigator", () => {
  test("starts with what the strategy says", async () => {
    queue = [3];
    await navigator.start(null);
    expect(navigator.image?.id).toBe(3);
  });

  test("an image being prepared is shown as ready once its features are there", async () => {
    changed.set(4, { features: "pending" });
    await navigator.open(4);
    expect(navigator.image?.features).toBe("pending");
    changed.set(4, { features: "failed", failure: "4.png is damaged" });
    await navigator.hearFeatures([3, 5]);
    expect(navigator.image?.features).toBe("pending");
    await navigator.hearFeatures([3, 4]);
    expect(navigator.image).toMatchObject({ id: 4, failure: "4.png is damaged" });
    changed.set(5, { features: "pending" });
    await navigator.open(5);
    changed.delete(5);
    await navigator.hearFeatures(null);
    expect(navigator.image).toMatchObject({ id: 5, features: "ready" });
  });

  test("the address names the first image", async () => {
    await navigator.start(12);
    expect(navigator.image?.id).toBe(12);
    expect(asked).toEqual([]);
  });

  test("an image that was asked for while the page still looks for its first one is not left again", async () => {
    queue = [3];
    const started = navigator.start(null);
    const opened = navigator.open(7);
    await Promise.all([started, opened]);
    expect([navigator.image?.id, navigator.visited.value]).toEqual([7, [7]]);
  });

  test("next takes the image fetched ahead, in the same moment and without asking again", async () => {
    queue = [4, 5];
    await navigator.open(3);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toEqual([3]);
    void navigator.next();
    expect(navigator.image?.id).toBe(4);
  });

  test("what is fetched ahead waits for a quiet moment", async () => {
    queue = [4];
    await navigator.open(3);
    calm.acted();
    await vi.advanceTimersByTimeAsync(400);
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toEqual([3]);
  });

  test("an image whose own save the server speaks of is still at hand", async () => {
    await navigator.open(3);
    await navigator.open(4);
    saves.enqueue(3, { kind: "label", class_id: 2 }, 0);
    navigator.hearAnnotation(3, 1);
    void navigator.open(3);
    expect([navigator.image?.id, annotations.current.value.label?.class_id]).toEqual([3, 2]);
  });

  test("an image that was changed elsewhere is fetched anew", async () => {
    await navigator.open(3);
    await navigator.open(4);
    navigator.hearAnnotation(3, 1);
    void navigator.open(3);
    expect(navigator.image?.id).toBe(4);
  });

  test("an image fetched ahead that was labelled meanwhile is not opened", async () => {
    queue = [4, 5];
    await navigator.open(3);
    await vi.advanceTimersByTimeAsync(200);
    navigator.invalidate(4);
    await navigator.next();
    expect(navigator.image?.id).toBe(5);
  });

  test("the next image is asked for after what was labelled is saved: it would come again", async () => {
    queue = [4];
    await navigator.open(3);
    saves.enqueue(3, { kind: "label", class_id: 1 }, 0);
    const done = navigator.next();
    await vi.advanceTimersByTimeAsync(30);
    expect(asked).toEqual([]);
    answer_save?.({ ...EMPTY_ANNOTATION, revision: 1 });
    await vi.advanceTimersByTimeAsync(0);
    await done;
    expect(asked).toEqual([3]);
  });

  test("previous and next walk the visited images", async () => {
    for (const id of [3, 8, 6]) await navigator.open(id);
    await navigator.previous();
    await navigator.previous();
    expect(navigator.image?.id).toBe(3);
    await navigator.next();
    expect(navigator.image?.id).toBe(8);
  });

  test("previous, with nothing behind: the image before it in order, from which next comes back", async () => {
    await navigator.open(5);
    await navigator.previous();
    await navigator.previous();
    expect(navigator.image?.id).toBe(3);
    await navigator.next();
    await navigator.next();
    expect(navigator.image?.id).toBe(5);
    expect(asked).toEqual([]);
  });

  test("step goes through all images in order, and says where they end", async () => {
    await navigator.open(8);
    await navigator.step(1);
    await navigator.step(1);
    expect(navigator.image?.id).toBe(9);
    expect(toasts.value.at(-1)?.text).toBe("This is the last image.");
    await navigator.step(-1);
    expect(navigator.image?.id).toBe(8);
  });

  test("in review next and previous go through all images, whatever the strategy says", async () => {
    queue = [7];
    navigator.reviewing.set(true);
    await navigator.open(2);
    await navigator.next();
    expect(navigator.image?.id).toBe(3);
    await navigator.previous();
    await navigator.previous();
    expect(navigator.image?.id).toBe(1);
  });

  test("returning to the image before is no new visit", async () => {
    for (const id of [3, 8]) await navigator.open(id);
    await navigator.returnTo(3);
    await navigator.next();
    expect(navigator.image?.id).toBe(8);
    expect(navigator.visited.value).toEqual([3, 8]);
  });

  test("jump: by id, by part of the path, or it says that there is none", async () => {
    expect(await navigator.jump("#9")).toBe(true);
    expect(navigator.image?.id).toBe(9);
    expect(await navigator.jump("seven")).toBe(true);
    expect(navigator.image?.id).toBe(7);
    expect(await navigator.jump("nowhere")).toBe(false);
    expect(toasts.value.at(-1)?.text).toContain("nowhere");
  });

  test("jump: an id is looked up alone, without a search in all paths", async () => {
    await navigator.jump("9");
    expect(searches).toEqual(["ids 9"]);
  });

  test("when none is left it says so and stays", async () => {
    await navigator.open(3);
    await vi.advanceTimersByTimeAsync(200);
    await navigator.next();
    expect(navigator.image?.id).toBe(3);
    expect(toasts.value).toHaveLength(1);
  });

  test("what is not saved yet is on screen when its image is opened again", async () => {
    await navigator.open(3);
    saves.enqueue(3, { kind: "label", class_id: 2 }, 0);
    await navigator.open(4);
    const opening = navigator.open(3);
    await vi.advanceTimersByTimeAsync(2_000);
    await opening;
    expect(annotations.current.value.label?.class_id).toBe(2);
  });

  test("the way back to an image whose save is under way shows what was saved", async () => {
    await navigator.open(3);
    saves.enqueue(3, { kind: "label", class_id: 2 }, 0);
    await navigator.open(4);
    const opening = navigator.open(3);
    await vi.advanceTimersByTimeAsync(50);
    stored = { ...EMPTY_ANNOTATION, revision: 1, label: { class_id: 2, origin: "human" } };
    answer_save?.(stored);
    await opening;
    expect(annotations.current.value.label).toEqual(stored.label);
  });

  test("an answer that was read before the last save is not shown after it", async () => {
    await navigator.open(3);
    const opening = navigator.open(3);
    saves.enqueue(3, { kind: "label", class_id: 2 }, 0);
    answer_save?.({ ...EMPTY_ANNOTATION, revision: 1, label: { class_id: 2, origin: "human" } });
    await opening;
    expect(annotations.current.value).toMatchObject({ revision: 1, label: { class_id: 2 } });
  });
});
