import { beforeEach, describe, expect, it, vi } from "vitest";

import type { Api } from "../../src/api/client";
import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { PreferenceStore } from "../../src/state/preferences";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import type { Annotation, Draft, LabelClass, Task } from "../../src/state/types";
import { Labelling } from "../../src/sync/labelling";
import type { Navigator } from "../../src/sync/navigator";
import { OnScreen } from "../../src/sync/on_screen";
import type { PredictionWatch } from "../../src/sync/prediction_watch";
import { SaveQueue } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

const CLASSES: LabelClass[] = [
  { id: 1, name: "day", color: "#ff0000", group: "light" },
  { id: 2, name: "night", color: "#00ff00", group: "light" },
  { id: 3, name: "car", color: "#0000ff", group: null },
];

let sent: (readonly number[] | null)[];
let annotations: AnnotationStore;
let labelling: Labelling;
let saves: SaveQueue;
let next: ReturnType<typeof vi.fn<() => Promise<void>>>;
let acceptPrediction: ReturnType<typeof vi.fn<() => Promise<Annotation>>>;

function stored(class_ids: readonly number[] | null): Annotation {
  const labels = class_ids?.map((class_id) => ({ class_id, origin: "human" as const })) ?? null;
  return { ...EMPTY_ANNOTATION, revision: sent.length, labels };
}

beforeEach(() => {
  sent = [];
  annotations = new AnnotationStore();
  next = vi.fn(() => Promise.resolve());
  acceptPrediction = vi.fn(() => Promise.resolve({ ...stored([3]), revision: 9 }));
  const put = (_id: number, draft: Draft): Promise<Annotation> => {
    const class_ids = draft.kind === "classes" ? draft.class_ids : null;
    sent.push(class_ids);
    return Promise.resolve(stored(class_ids));
  };
  saves = new SaveQueue(
    put,
    {
      saved: (...args) => labelling.outcomes.saved(...args),
      changed: (...args) => labelling.outcomes.changed(...args),
      conflict: () => undefined,
      rejected: () => undefined,
    },
    memoryStorage(),
    "unsaved",
  );
  const navigator = { image: { id: 1 }, loading: new Signal(false), on_screen: new OnScreen(), invalidate: () => undefined, next };
  const predictions = { expect: () => undefined, shown: new Signal({ image_id: 1, version: 4 }) };
  labelling = new Labelling(
    { acceptPrediction } as unknown as Api, new Signal<Task>("multilabel"), new Signal(CLASSES), annotations, saves,
    navigator as unknown as Navigator, predictions as unknown as PredictionWatch, new PreferenceStore(memoryStorage()), new ToastStore(),
  ); // prettier-ignore
  annotations.open(1, EMPTY_ANNOTATION);
});

async function choose(...class_ids: number[]): Promise<void> {
  for (const class_id of class_ids) labelling.chooseClass(class_id);
  await saves.settled();
}

describe("Labelling with several classes", () => {
  it("saves every toggle, and keeps a group to one", async () => {
    await choose(1);
    await choose(3);
    await choose(2);
    expect(sent).toEqual([[1], [1, 3], [2, 3]]);
    expect(next).not.toHaveBeenCalled();
  });

  it("takes the answer back with the last class, and says none on purpose", async () => {
    await choose(3);
    await choose(3);
    labelling.chooseNone();
    await saves.settled();
    labelling.chooseNone();
    await saves.settled();
    labelling.chooseNone();
    await saves.settled();
    labelling.removeNearest(null);
    await saves.settled();
    expect(sent).toEqual([[3], null, [], null, [], null]);
  });

  it("accepts what is suggested, and once there is an answer goes on instead", async () => {
    await labelling.accept(false);
    expect(acceptPrediction).toHaveBeenCalledTimes(1);
    expect(annotations.current.value.labels).toEqual([{ class_id: 3, origin: "human" }]);
    expect(next).not.toHaveBeenCalled();
    await labelling.accept(false);
    expect(acceptPrediction).toHaveBeenCalledTimes(1);
    expect(next).toHaveBeenCalledTimes(1);
  });
});
