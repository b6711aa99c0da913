import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
import { ApiError } from "../../src/api/errors";
import { Signal } from "../../src/state/signal";
import type { LabelClass, Prediction } from "../../src/state/types";
import { PredictionWatch } from "../../src/sync/prediction_watch";

const CLASSES: readonly LabelClass[] = [
  { id: 1, name: "a", color: "#ff0000", group: null },
  { id: 2, name: "b", color: "#00ff00", group: null },
  { id: 3, name: "c", color: "#0000ff", group: null },
];
const IMAGE = { id: 5, width: 10, height: 10 };

let failure: Error | null;
let has_labels: boolean;
let server: Prediction | null;
let requests: string[];
let connected: Signal<boolean>;
let watch: PredictionWatch;
let classes: Signal<readonly LabelClass[]>;

function predicted(version: number, annotation_revision: number): Prediction {
  return { version, annotation_revision, stale: false, probabilities: [{ class_id: 1, p: 1 }], map: null };
}

beforeEach(() => {
  vi.useFakeTimers();
  server = null;
  has_labels = false;
  failure = null;
  requests = [];
  connected = new Signal(true);
  const api: Pick<Api, "prediction"> = {
    prediction: () => {
      requests.push("prediction");
      if (failure !== null) return Promise.reject(failure);
      return Promise.resolve(server);
    },
  };
  classes = new Signal(CLASSES);
  watch = new PredictionWatch(api as Api, classes, connected, () => has_labels);
});

afterEach(() => {
  watch.close();
  vi.useRealTimers();
});

describe("PredictionWatch", () => {
  test("asks at once for a prediction that is missing, then less and less often", async () => {
    watch.open(IMAGE, 0);
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(requests.length).toBeLessThan(10);
    expect(watch.shown.value).toBeNull();
  });

  test("fetches when the server announces one", async () => {
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    server = predicted(1, 1);
    watch.expect(5, 1);
    watch.announce(5, 1);
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.shown.value).toMatchObject({ image_id: 5, version: 1, annotation_revision: 1 });
    expect(watch.behind.value).toBe(false);
  });

  test("asks for nothing when the event holds the prediction and all maps that an overlay needs", async () => {
    has_labels = true;
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    const count = requests.length;
    watch.expect(5, 1);
    const prediction = { ...predicted(1, 1), map: { width: 2, height: 1, class_ids: [1, 2] } };
    const maps = [1, 2].map((class_id) => ({ class_id, width: 2, height: 1, values: btoa("\u00ff\u0000") }));
    watch.announce(5, 1, { prediction, maps });
    const shown = watch.shown.value;
    expect(shown).toMatchObject({ image_id: 5, version: 1, annotation_revision: 1, refined: false });
    expect(shown?.maps.map(({ class_id, map }) => [class_id, map.width, [...map.values]])).toEqual([
      [1, 2, [255, 0]],
      [2, 2, [255, 0]],
    ]);
    expect(watch.behind.value).toBe(false);
    await vi.advanceTimersByTimeAsync(300);
    expect(requests).toHaveLength(count);
  });

  test("other classes: at no time does what is shown say of two classes what one map of them means no more", async () => {
    classes.set(CLASSES.slice(0, 2));
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    const prediction = { ...predicted(1, 1), map: { width: 2, height: 1, class_ids: [1, 2] } };
    server = prediction;
    watch.announce(5, 1, { prediction, maps: [{ class_id: 1, width: 2, height: 1, values: btoa("\u00ff\u0000") }] });
    const planes = (): unknown => watch.shown.value?.maps.map(({ class_id, map }) => [class_id, [...map.values]]);
    classes.set(CLASSES);
    const both = [[1, [255, 0]], [2, [0, 255]]]; // prettier-ignore
    expect(planes()).toEqual(both);
    await vi.advanceTimersByTimeAsync(0);
    expect(planes()).toEqual(both);
    classes.set(CLASSES.slice(1));
    expect(planes()).toEqual([[2, [0, 255]]]);
    await vi.advanceTimersByTimeAsync(0);
    expect(planes()).toEqual([[2, [0, 255]]]);
  });

  test("asks where the event does not hold all maps", async () => {
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    server = predicted(1, 1);
    const prediction = { ...predicted(1, 1), map: { width: 2, height: 1, class_ids: [1, 2] } };
    watch.announce(5, 1, { prediction, maps: [] });
    expect(watch.shown.value).toBeNull();
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.shown.value?.version).toBe(1);
  });

  test("an answer that was under way takes nothing from what an event brought", async () => {
    server = predicted(1, 1);
    watch.open(IMAGE, 0);
    watch.announce(5, 2, { prediction: predicted(2, 2), maps: [] });
    expect(watch.shown.value?.version).toBe(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.shown.value?.version).toBe(2);
  });

  test("an answer that there is none takes nothing from what an event brought meanwhile", async () => {
    watch.open(IMAGE, 0);
    watch.announce(5, 1, { prediction: predicted(1, 1), maps: [] });
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.shown.value?.version).toBe(1);
  });

  test.each(["not base64!", btoa("short")])("a map that cannot be read (%s) is fetched", async (values) => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    server = predicted(1, 1);
    const prediction = { ...predicted(1, 1), map: { width: 4, height: 4, class_ids: [1] } };
    watch.announce(5, 1, { prediction, maps: [{ class_id: 1, width: 4, height: 4, values }] });
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.shown.value).toMatchObject({ version: 1, maps: [] });
  });

  test("without events, polling finds it", async () => {
    connected.set(false);
    watch.open(IMAGE, 0);
    watch.expect(5, 1);
    await vi.advanceTimersByTimeAsync(100);
    server = predicted(1, 1);
    await vi.advanceTimersByTimeAsync(500);
    expect(watch.shown.value?.annotation_revision).toBe(1);
  });

  test("goes on asking until the revision has caught up", async () => {
    has_labels = true;
    server = predicted(1, 0);
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    watch.expect(5, 2);
    expect(watch.behind.value).toBe(true);
    server = predicted(2, 1);
    await vi.advanceTimersByTimeAsync(300);
    expect(watch.behind.value).toBe(true);
    server = predicted(3, 2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(watch.shown.value?.annotation_revision).toBe(2);
    const count = requests.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toHaveLength(count);
  });

  test("an older prediction never replaces a newer one", async () => {
    server = predicted(4, 2);
    watch.open(IMAGE, 2);
    await vi.advanceTimersByTimeAsync(0);
    server = predicted(3, 1);
    watch.refresh();
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.shown.value?.version).toBe(4);
  });

  test.each([new ApiError(422, "InvalidInputError", "no"), new TypeError("broken map")])("polling survives %s", async (error) => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    server = predicted(1, 1);
    failure = error;
    watch.open(IMAGE, 1);
    await vi.advanceTimersByTimeAsync(1_000);
    failure = null;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(watch.shown.value?.version).toBe(1);
  });

  test("without any label nothing is being learned", async () => {
    has_labels = true;
    watch.open(IMAGE, 1);
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.behind.value).toBe(true);
    has_labels = false;
    watch.announceRemoved();
    expect(watch.behind.value).toBe(false);
    watch.expect(5, 2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(watch.behind.value).toBe(false);
  });

  test("another image's announcement is not fetched", async () => {
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    requests = [];
    watch.announce(6, 9);
    await vi.advanceTimersByTimeAsync(10);
    expect(requests).toEqual([]);
  });

  test("an answer that comes after the image was left is not shown", async () => {
    server = predicted(1, 0);
    watch.open(IMAGE, 0);
    watch.open({ ...IMAGE, id: 6 }, 0);
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.shown.value?.image_id).not.toBe(5);
  });

  test("a prefetched prediction is there in the same moment", async () => {
    server = predicted(2, 0);
    await watch.prefetch(5);
    watch.open(IMAGE, 0);
    expect(watch.shown.value?.version).toBe(2);
  });

  test("with the last label the prediction goes", async () => {
    server = predicted(1, 0);
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    watch.announceRemoved();
    expect(watch.shown.value).toBeNull();
  });

  test("an answer from before the last label went is not shown", async () => {
    server = predicted(1, 0);
    watch.open(IMAGE, 0);
    watch.announceRemoved();
    server = null;
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.shown.value).toBeNull();
  });

  test("what the server has no more leaves the screen, though nobody said so", async () => {
    server = predicted(1, 0);
    watch.open(IMAGE, 0);
    await vi.advanceTimersByTimeAsync(0);
    server = null;
    watch.expect(5, 2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(watch.shown.value).toBeNull();
  });
});
