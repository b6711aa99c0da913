import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Api } from "../../src/api/client";
import { UnreachableError } from "../../src/api/errors";
import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import { newRegion, NO_REGIONS, type Region } from "../../src/state/regions";
import type { Annotation, Draft } from "../../src/state/types";
import { putWithRegions } from "../../src/sync/regions";
import { SaveQueue } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";

type PointDraft = Extract<Draft, { kind: "points" }>;

const DOT = { kind: "stroke", geometry: { points: [[1, 1]], radius: 2 } } as const;

/** Keeps regions as the server does: ids and shapes in the order in which they came, geometry left out of answers. */
class FakeServer {
  regions: readonly Region[] = [];
  revision = 0;
  reachable = true;
  readonly requests: (readonly Region[] | "stay")[] = [];
  last_id = 0;

  put(draft: PointDraft, stay: boolean): Promise<Annotation> {
    if (!this.reachable) return Promise.reject(new UnreachableError("gone"));
    this.requests.push(stay || draft.regions === undefined ? "stay" : draft.regions);
    const known = new Set(this.regions.map(({ shape_id }) => shape_id));
    if (!stay && draft.regions) this.regions = draft.regions.map((region) => this.#stored(region));
    this.revision += 1;
    const regions = this.regions.map((region) => (known.has(region.shape_id) ? { ...region, geometry: null } : region));
    return Promise.resolve({ ...EMPTY_ANNOTATION, revision: this.revision, points: draft.points, regions });
  }

  #stored(region: Region): Region {
    if (region.id > 0 && region.shape_id !== null) return region;
    this.last_id += 1;
    return { ...region, id: region.id > 0 ? region.id : this.last_id, shape_id: 100 + this.last_id };
  }
}

let server: FakeServer;
let store: AnnotationStore;
let saves: SaveQueue;
let storage: ReturnType<typeof memoryStorage>;

function makeQueue(): SaveQueue {
  const server_here = server;
  const api: Pick<Api, "putAnnotation" | "annotation"> = {
    putAnnotation: (_id, draft, _revision, stay) => server_here.put(draft as PointDraft, stay ?? false),
    annotation: () => Promise.resolve({ ...EMPTY_ANNOTATION, revision: server.revision, regions: server.regions }),
  };
  const put = (image_id: number, draft: Draft, revision: number | null): Promise<Annotation> =>
    putWithRegions(api as Api, image_id, draft, revision);
  const listener = {
    saved: (image_id: number, sent: Draft, answer: Annotation) => store.acknowledge(image_id, sent, answer),
    changed: vi.fn(), conflict: vi.fn(), rejected: vi.fn(),
  }; // prettier-ignore
  return new SaveQueue(put, listener, storage, "unsaved");
}

function draw(class_id = 1): void {
  store.edit({ regions: [...store.regions, newRegion(DOT, class_id)] });
}

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  storage = memoryStorage();
  store = new AnnotationStore();
  saves = makeQueue();
  store.open(1, EMPTY_ANNOTATION);
  store.onChange(({ image_id, origin, is_step }) => {
    if (origin === "LOCAL") saves.enqueue(image_id, store.draft("points"), store.current.value.revision, is_step);
  });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("strokes", () => {
  test("each is a request of its own, however fast they come; only new geometry is new", async () => {
    for (let i = 0; i < 3; i += 1) draw();
    await vi.runAllTimersAsync();
    expect(server.requests.map((regions) => (regions === "stay" ? 0 : regions.filter(({ shape_id }) => shape_id === null).length))).toEqual([1, 1, 1]);
    expect(store.regions.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(store.regions.every(({ geometry }) => geometry === DOT.geometry)).toBe(true);
    expect(saves.status.value).toBe("saved");
  });

  test("a click on a point sends no regions", async () => {
    draw();
    await vi.runAllTimersAsync();
    store.addPoint(5, 5, 1);
    await vi.runAllTimersAsync();
    expect(server.requests.at(-1)).toBe("stay");
    expect(store.regions).toHaveLength(1);
  });

  test("without a connection: step by step once it is back", async () => {
    server.reachable = false;
    draw();
    draw();
    store.edit({ regions: store.regions.slice(1) });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(saves.status.value).toBe("offline");
    server.reachable = true;
    await vi.runAllTimersAsync();
    expect(server.requests.map((regions) => regions.length)).toEqual([1, 2, 1]);
    expect(server.regions).toEqual(store.regions);
  });

  test("kept over the end of the page; of what the server has without geometry", async () => {
    draw();
    await vi.runAllTimersAsync();
    const stored: Annotation = { ...store.current.value };
    server.reachable = false;
    draw(2);
    await vi.advanceTimersByTimeAsync(1_000);
    saves.store();
    const [text] = [...storage.map.values()];
    const kept = (JSON.parse(text ?? "") as { draft: PointDraft }).draft.regions ?? NO_REGIONS;
    expect(kept.map(({ geometry }) => geometry !== undefined)).toEqual([false, true]);

    // Another page; what the one before still tries is lost with it.
    const { regions, revision } = server;
    server = Object.assign(new FakeServer(), { regions, revision, reachable: false, last_id: 1 });
    saves = makeQueue();
    store = new AnnotationStore();
    store.open(1, stored);
    void saves.restore();
    await vi.advanceTimersByTimeAsync(0);
    const pending = saves.pending(1);
    if (pending) store.reapply(pending);
    expect(store.regions.map(({ class_id, geometry }) => [class_id, geometry])).toEqual([[1, DOT.geometry], [2, DOT.geometry]]);
    server.reachable = true;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(server.regions.map(({ id }) => id)).toEqual([1, 2]);
  });
});
