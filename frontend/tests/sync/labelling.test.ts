import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
import type { RemovedClass } from "../../src/state/classes";
import { ApiError } from "../../src/api/errors";
import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { PreferenceStore } from "../../src/state/preferences";
import { Signal } from "../../src/state/signal";
import { ToastStore } from "../../src/state/toasts";
import type { Annotation, Draft, Origin, Point, Task } from "../../src/state/types";
import { Labelling } from "../../src/sync/labelling";
import type { Navigator } from "../../src/sync/navigator";
import { OnScreen } from "../../src/sync/on_screen";
import type { PredictionWatch } from "../../src/sync/prediction_watch";
import { SaveQueue, type SaveListener } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

/** One image on a server that takes its time: a request is carried out halfway, and answered at the end. */
class SlowServer {
  revision = 0;
  points: readonly Point[] = [];
  put_ms = 20;
  change_ms = 40;
  aside_at = -1;
  readonly requests: string[] = [];
  readonly #history: (readonly Point[])[] = [[]];
  #next_id = 1;

  state(): Annotation {
    const skipped = this.aside_at === this.revision;
    return { ...EMPTY_ANNOTATION, revision: this.revision, points: this.points, can_undo: this.#history.length > 1, skipped };
  }

  /** Someone else's change. */
  write(points: readonly Point[]): Annotation {
    const known = new Map(this.points.map((point) => [point.id, point.origin]));
    this.points = points.map((point) => {
      const origin: Origin | undefined = known.get(point.id);
      return { ...point, origin: origin ?? (point.id === null ? point.origin : "human"), id: origin ? point.id : this.#next_id++ };
    });
    this.#history.push(this.points);
    this.revision += 1;
    return this.state();
  }

  put(draft: Draft, revision: number | null): Promise<Annotation> {
    if (draft.kind === "aside") return this.skip(revision);
    return this.#slowly("PUT", this.put_ms, revision, () => this.write(draft.kind === "points" ? draft.points : []));
  }

  undo(revision: number | null): Promise<Annotation> {
    return this.#slowly("undo", this.change_ms, revision, () => {
      this.#history.pop();
      this.points = this.#history.at(-1) ?? [];
      this.revision += 1;
      return this.state();
    });
  }

  extract(revision: number | null): Promise<Annotation> {
    const stay = this.points.filter(({ origin }) => origin !== "extracted");
    return this.#slowly("extract", this.change_ms, revision, () => this.write([...stay, point(4, "extracted"), point(5, "extracted"), point(6, "extracted")]));
  }

  skip(revision: number | null): Promise<Annotation> {
    return this.#slowly("skip", this.change_ms, revision, () => {
      this.write([]);
      this.aside_at = this.revision;
      return this.state();
    });
  }

  async #slowly(name: string, ms: number, revision: number | null, work: () => Annotation): Promise<Annotation> {
    await sleep(ms / 2);
    this.requests.push(name);
    if (revision !== null && revision !== this.revision) throw new ApiError(409, "ConflictError", "stale", this.state());
    const answer = work();
    await sleep(ms / 2);
    return answer;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function point(x: number, origin: Origin = "human", id: number | null = null): Point {
  return { id, x, y: x, class_id: 1, origin };
}

let server: SlowServer;
let annotations: AnnotationStore;
let saves: SaveQueue;
let toasts: ToastStore;
let labelling: Labelling;
let shown: Signal<unknown>;
let image: { id: number; path: string };
let next: ReturnType<typeof vi.fn<() => Promise<void>>>;

beforeEach(() => {
  vi.useFakeTimers();
  server = new SlowServer();
  annotations = new AnnotationStore();
  toasts = new ToastStore();
  next = vi.fn(() => Promise.resolve());
  const api: Pick<Api, "undo" | "annotation" | "removedClasses" | "extractPoints"> = {
    extractPoints: (_id, revision) => server.extract(revision),
    removedClasses: () => Promise.resolve([{ id: 9 } as RemovedClass]),
    undo: (_id, revision) => server.undo(revision),
    annotation: async () => {
      await sleep(5);
      return server.state();
    },
  };
  const listener: SaveListener = {
    saved: (...args) => labelling.outcomes.saved(...args),
    changed: (...args) => labelling.outcomes.changed(...args),
    conflict: (...args) => labelling.outcomes.conflict(...args),
    rejected: (...args) => labelling.outcomes.rejected(...args),
  };
  saves = new SaveQueue((_id, draft, revision) => server.put(draft, revision), listener, memoryStorage(), "unsaved");
  image = { id: 1, path: "photos/IMG_001.png" };
  const returnTo = (id: number): Promise<boolean> => {
    image.id = id;
    annotations.open(id, server.state());
    return Promise.resolve(true);
  };
  const navigator = { image, loading: new Signal(false), on_screen: new OnScreen(), invalidate: () => undefined, forget: () => undefined, next, returnTo };
  shown = new Signal<unknown>(null);
  const predictions = { expect: () => undefined, shown };
  labelling = new Labelling(
    api as Api, new Signal<Task>("segmentation"), new Signal([{ id: 1, name: "a", color: "#ffffff", group: null }]), annotations, saves,
    navigator as unknown as Navigator, predictions as unknown as PredictionWatch, new PreferenceStore(memoryStorage()), toasts,
  ); // prettier-ignore
  annotations.open(1, server.state());
});

afterEach(() => {
  vi.useRealTimers();
});

async function pass(ms = 500): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

function places(points: readonly Point[]): number[] {
  return points.map(({ x }) => x);
}

async function haveOnePoint(): Promise<void> {
  labelling.addPoint(1, 1, 1);
  await pass();
}

describe("Labelling", () => {
  test.each([0, 1, 15, 25, 39])("undo, and a click %i ms later: the point goes, the click stays", async (ms) => {
    await haveOnePoint();
    void labelling.undo();
    await pass(ms);
    labelling.addPoint(5, 5, 1);
    await pass();
    expect(places(server.points)).toEqual([5]);
    expect(annotations.current.value).toEqual(server.state());
    expect(toasts.value).toEqual([]);
    expect(saves.status.value).toBe("saved");
  });

  test("click, undo, click: in that order on the server", async () => {
    labelling.addPoint(1, 1, 1);
    void labelling.undo();
    labelling.addPoint(5, 5, 1);
    await pass();
    expect(server.requests).toEqual(["PUT", "undo", "PUT"]);
    expect(places(annotations.current.value.points)).toEqual([5]);
  });

  test("an undo behind a save that meets a conflict is not done to the other person's work", async () => {
    await haveOnePoint();
    server.write([...server.points, point(77)]);
    labelling.addPoint(2, 2, 1);
    const undone = labelling.undo();
    await pass();
    expect(await undone).toBe(false);
    expect(places(server.points)).toEqual([1, 77]);
  });

  test("a change made elsewhere while an undo is under way is not undone", async () => {
    await haveOnePoint();
    void labelling.undo();
    server.write([...server.points, point(77)]);
    await pass();
    expect(places(annotations.current.value.points)).toEqual([1, 77]);
    expect(places(server.points)).toEqual([1, 77]);
  });

  test("a state older than the one shown is not taken", async () => {
    const old = server.state();
    await haveOnePoint();
    annotations.receive(1, old);
    expect(places(annotations.current.value.points)).toEqual([1]);
  });

  test("news that come while something waits are taken afterwards", async () => {
    await haveOnePoint();
    labelling.addPoint(2, 2, 1);
    await pass(15);
    server.write([...server.points, point(77)]);
    void labelling.outcomes.hear(1, server.revision);
    await pass();
    expect(annotations.current.value).toEqual(server.state());
  });

  test("skip goes on at once, is kept like any label, and undo takes it back", async () => {
    await haveOnePoint();
    labelling.addPoint(2, 2, 1);
    void labelling.skip();
    expect(annotations.current.value).toMatchObject({ skipped: true, points: [] });
    expect(saves.pending(1)).toEqual({ kind: "aside", as: "skipped" });
    await pass();
    expect(next).toHaveBeenCalledOnce();
    expect(server.requests).toEqual(["PUT", "PUT", "skip"]);
    void labelling.undo();
    await pass();
    expect(places(server.points)).toEqual([1, 2]);
    expect(annotations.current.value).toEqual(server.state());
  });

  test("skip says what it takes off, and its message brings it back from the next image", async () => {
    await haveOnePoint();
    labelling.addPoint(2, 2, 1);
    await pass();
    next.mockImplementation(() => {
      image.id = 2;
      annotations.open(2, EMPTY_ANNOTATION);
      return Promise.resolve();
    });
    await labelling.skip();
    await pass();
    expect(annotations.image_id.value).toBe(2);
    expect(toasts.value.map(({ text, action, keep }) => [text, action?.text, keep])).toEqual([
      ["Skipped image 1: 2 points were taken off.", "Undo", true],
    ]);
    toasts.value[0]?.action?.run();
    await pass();
    expect([annotations.image_id.value, places(server.points), labelling.advances.value]).toEqual([1, [1, 2], []]);
  });

  test("skip of an image without labels says so in short; undo by key takes the message along", async () => {
    await labelling.skip();
    await pass();
    expect(toasts.value.map(({ text }) => text)).toEqual(["IMG_001.png: skipped"]);
    await haveOnePoint();
    await labelling.markUndetermined();
    await pass();
    expect(toasts.value.map(({ text }) => text)).toEqual(["Image 1 is undetermined: 1 point was taken off."]);
    await Promise.all([labelling.undo(), pass()]);
    expect([places(server.points), toasts.value]).toEqual([[1], []]);
  });

  test("the message of a skip undoes nothing that was done since", async () => {
    await haveOnePoint();
    await labelling.skip();
    await pass();
    labelling.addPoint(7, 7, 1);
    await pass();
    toasts.value[0]?.action?.run();
    await pass();
    expect(places(server.points)).toEqual([7]);
    expect(toasts.value.at(-1)?.text).toContain("Image 1 was changed since");
  });

  test("two conflicts on one image are one message, which offers both works", () => {
    const theirs = (revision: number): Annotation => ({ ...EMPTY_ANNOTATION, revision, points: [point(50 + revision)] });
    const mine = (x: number): Draft => ({ kind: "points", points: [point(x)] });
    labelling.outcomes.conflict(1, mine(1), theirs(5));
    labelling.outcomes.conflict(1, mine(1), theirs(6));
    expect(toasts.value.map(({ more_actions }) => more_actions)).toEqual([[]]);
    labelling.outcomes.conflict(1, mine(2), theirs(7));
    expect(toasts.value.map(({ action, more_actions }) => [action?.text, ...(more_actions ?? []).map(({ text }) => text)])).toEqual([
      ["Use mine instead", "Use my earlier one"],
    ]);
    toasts.value[0]?.more_actions?.[0]?.run();
    expect(annotations.current.value.points).toMatchObject([{ x: 1 }]);
    labelling.outcomes.conflict(2, mine(3), theirs(1));
    expect(toasts.value).toHaveLength(2);
  });

  test("skip of an image that was changed elsewhere: nothing is overwritten, the person is told", async () => {
    server.write([point(3)]);
    void labelling.skip();
    await pass();
    expect(places(server.points)).toEqual([3]);
    expect(toasts.value.at(-1)?.action?.text).toBe("Use mine instead");
  });

  test("points without a prediction: said plainly, and nothing is asked", async () => {
    await labelling.extractPoints();
    expect(toasts.value.map(({ kind, text }) => [kind, text.split(":")[0]])).toEqual([["info", "There is no prediction to extract points from yet"]]);
  });

  test("extracted points go at once, by their message too; those of the person stay", async () => {
    annotations.open(1, server.write([point(1), point(2, "extracted"), point(3, "extracted")]));
    shown.set({ image_id: 1 });
    void labelling.extractPoints();
    await pass();
    expect(toasts.value.at(-1)).toMatchObject({ text: "3 points extracted from the prediction, 2 earlier ones replaced.", action: { text: "Remove them" } });
    toasts.value.at(-1)?.action?.run();
    await pass();
    expect([places(server.points), toasts.value.at(-1)?.text]).toEqual([[1], "3 extracted points removed. Undo brings them back."]);
    void labelling.undo();
    await pass();
    expect(server.points).toHaveLength(4);
    labelling.extracted.remove();
    labelling.extracted.remove();
    await pass();
    expect([places(server.points), toasts.value.at(-1)?.text]).toEqual([[1], "There are no extracted points on this image."]);
  });

  test("use mine instead: extracted points that the server knows stay extracted, others do not turn human", async () => {
    annotations.open(1, server.write([point(1), point(2, "extracted"), point(3, "extracted")]));
    labelling.addPoint(9, 9, 1);
    // Extracted anew elsewhere: other ids, and one is gone.
    server.write([point(1), point(2, "extracted")]);
    await pass();
    toasts.value[0]?.action?.run();
    await pass();
    expect(server.points.map(({ x, origin }) => [x, origin])).toEqual([[1, "human"], [2, "extracted"], [9, "human"]]);
    expect(annotations.current.value).toEqual(server.state());
  });

  test("the offer to use mine is not pushed out by other messages", async () => {
    labelling.addPoint(9, 9, 1);
    server.write([point(1)]);
    await pass();
    for (let i = 0; i < 9; i += 1) toasts.show("info", `message ${i}`);
    expect(toasts.value.map(({ action }) => action?.text)).toContain("Use mine instead");
    expect(toasts.value).toHaveLength(4);
  });
});

test("a draft that the server refuses stays on screen; its points of removed classes can be left out", async () => {
  labelling.addPoint(1, 1, 1);
  labelling.addPoint(2, 2, 9);
  const put = vi.spyOn(server, "put").mockRejectedValue(new ApiError(400, "InvalidInputError", "there is no class 9"));
  await pass();
  labelling.addPoint(3, 3, 1);
  await pass();
  expect(places(annotations.current.value.points)).toEqual([1, 2, 3]);
  expect(saves.status.value).toBe("refused");
  put.mockRestore();
  const kept = toasts.value.filter(({ keep }) => keep === true);
  expect(kept.map(({ action, more_actions = [] }) => [action, ...more_actions].map((way) => way?.text))).toEqual([
    ["Try again", "Save without removed classes", "Discard"],
  ]);
  kept[0]?.more_actions?.[0]?.run();
  await pass();
  expect([places(server.points), saves.status.value]).toEqual([[1, 3], "saved"]);
});

test("discard: the server's state comes back", async () => {
  await haveOnePoint();
  const put = vi.spyOn(server, "put").mockRejectedValue(new ApiError(400, "InvalidInputError", "no"));
  labelling.addPoint(2, 2, 1);
  await pass();
  put.mockRestore();
  toasts.value.at(-1)?.more_actions?.at(-1)?.run();
  await pass();
  expect([places(annotations.current.value.points), saves.status.value]).toEqual([[1], "saved"]);
});
