import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { UnreachableError } from "../../src/api/errors";
import { AnnotationStore, EMPTY_ANNOTATION } from "../../src/state/annotations";
import type { Region } from "../../src/state/regions";
import type { Annotation, Point } from "../../src/state/types";
import { SaveQueue } from "../../src/sync/save_queue";
import { memoryStorage } from "../memory_storage";
import { killed, nextVisit, random, Server, visit } from "./undo_rig";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function soon(ms = 100): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

function start(server = new Server()): { server: Server; storage: ReturnType<typeof memoryStorage>; page: ReturnType<typeof visit> } {
  const storage = memoryStorage();
  const page = visit(server, storage);
  page.annotations.open(1, server.state());
  return { server, storage, page };
}

describe("somebody else was faster", () => {
  test.each([false, true])("an accepted label was confirmed here (undone: %s): not lost without a question", async (is_undone) => {
    const server = new Server();
    server.say("accepted 3");
    const { page } = start(server);
    server.is_away = true;
    page.labelling.chooseClass(3);
    await soon();
    if (is_undone) {
      const undone = page.labelling.undo();
      await soon();
      expect([await undone, page.annotations.current.value.label?.origin]).toEqual([true, "accepted"]);
    }
    server.say("class 2");
    server.is_away = false;
    await soon(60_000);
    expect([server.said, page.annotations.current.value]).toEqual(["class 2", server.state()]);
    expect(page.toasts.value.map(({ action }) => action?.text)).toEqual(is_undone ? [] : ["Use mine instead"]);
  });

  test("they accepted what was confirmed here: it is not confirmed yet", async () => {
    const { server, page } = start();
    server.is_away = true;
    page.labelling.chooseClass(3);
    await soon();
    server.say("accepted 3");
    server.is_away = false;
    await soon(60_000);
    expect(page.toasts.value.map(({ action }) => action?.text)).toEqual(["Use mine instead"]);
  });
});

describe("steps that wait are done once", () => {
  test.each(Array.from({ length: 60 }, (_, i) => i + 1))("seed %i: the browser is killed while they are sent", async (seed) => {
    const draw = random(seed);
    const { server, storage, page: first } = start();
    let page = first;
    server.is_away = true;
    const expected = ["nothing"];
    for (let i = 0; i < 6; i += 1) {
      const class_id = 1 + Math.floor(draw() * 3);
      if (expected.at(-1) !== `class ${class_id}`) expected.push(`class ${class_id}`);
      page.labelling.chooseClass(class_id);
      await soon(200);
    }
    for (let undone = Math.floor(draw() * 3); undone > 0 && expected.length > 1; undone -= 1) {
      void page.labelling.undo();
      expected.pop();
      await soon(200);
    }
    server.is_away = false;
    for (let i = 0; i < 3; i += 1) {
      page.saves.retryNow();
      await soon(Math.floor(draw() * 120));
      page = await killed(server, storage);
    }
    await soon(60_000);
    expect(page.toasts.value).toEqual([]);
    expect([page.saves.status.value, server.said, storage.map.size]).toEqual(["saved", expected.at(-1), 0]);
    expect(page.annotations.current.value).toEqual(server.state());
  });

  test("somebody else said what a step in between says: the person is asked", async () => {
    const { server, page } = start();
    server.is_away = true;
    for (const class_id of [1, 2, 3]) {
      page.labelling.chooseClass(class_id);
      await soon();
    }
    server.say("class 2");
    server.is_away = false;
    await soon(60_000);
    expect([server.said, page.toasts.value.map(({ action }) => action?.text)]).toEqual(["class 2", ["Use mine instead"]]);
  });

  test.each(["class 3", "class 2"] as const)("somebody else has done several things, in the end %s: asked only if that is not what was said here", async (said) => {
    const { server, page } = start();
    server.is_away = true;
    for (const class_id of [1, 3]) {
      page.labelling.chooseClass(class_id);
      await soon();
    }
    for (const other of ["class 1", "class 2", "skipped", said] as const) server.say(other);
    server.is_away = false;
    await soon(60_000);
    expect([server.said, page.toasts.value.length]).toEqual([said, said === "class 3" ? 0 : 1]);
  });

  test("a second tab takes them over while the first waits: neither finds a conflict with the other", async () => {
    const { server, storage, page } = start();
    server.is_away = true;
    for (const class_id of [1, 2, 3]) {
      page.labelling.chooseClass(class_id);
      await soon();
    }
    await soon(20_000);
    const other = await nextVisit(server, storage);
    await soon(50);
    server.is_away = false;
    await soon(120_000);
    expect([page.saves.status.value, other.saves.status.value, storage.map.size]).toEqual(["saved", "saved", 0]);
    expect([server.said, server.steps]).toEqual(["class 3", ["nothing", "class 1", "class 2", "class 3"]]);
    expect([...page.toasts.value, ...other.toasts.value]).toEqual([]);
  });
});

test("what waits of an image is bounded, however often something is done and undone", async () => {
  const { server, storage, page } = start();
  server.is_away = true;
  for (let i = 0; i < 240; i += 1) {
    page.labelling.chooseClass(1 + (i % 2));
    await soon(i === 0 ? 500 : 5);
    if (i % 4 === 0) void page.labelling.undo();
    await soon(5);
    expect(page.annotations.current.value.label?.class_id).toBe(i === 0 ? undefined : i % 4 === 0 ? 2 : 1 + (i % 2));
  }
  await soon(500);
  const steps = [...storage.map.values()].flatMap((text) => (JSON.parse(text) as { trail: { steps: unknown[] } }).trail.steps);
  expect(steps).toHaveLength(200);
  server.is_away = false;
  await soon(600_000);
  expect([server.said, page.saves.status.value, page.toasts.value]).toEqual(["class 2", "saved", []]);
});

describe("a page on points and regions whose server is away", () => {
  const BOX: Region = { id: 5, shape_id: 11, kind: "box", class_id: 1, origin: "human", geometry: { x0: 0, y0: 0, x1: 3, y1: 3 } };
  const STROKE: Region = { ...BOX, id: 6, shape_id: 12, geometry: { x0: 7, y0: 7, x1: 9, y1: 9 } };
  const POINTS = Array.from({ length: 1_000 }, (_, i): Point => ({ id: i + 1, x: i * 1.37 + 0.123456, y: i * 0.77 + 0.654321, class_id: 1, origin: "human" }));

  /** A visit, with the image open as the server has it. */
  async function open(storage: ReturnType<typeof memoryStorage>, state: Annotation): Promise<{ annotations: AnnotationStore; saves: SaveQueue; undo: () => boolean }> {
    vi.clearAllTimers();
    const annotations = new AnnotationStore();
    const listener = { saved: vi.fn(), changed: vi.fn(), conflict: vi.fn(), rejected: vi.fn() };
    const saves = new SaveQueue(() => Promise.reject(new UnreachableError("down")), listener, storage, "unsaved");
    annotations.onChange(({ image_id, origin, before, is_step }) => {
      if (origin === "LOCAL") saves.enqueue(image_id, annotations.draft("points"), annotations.current.value.revision, is_step, before);
    });
    await saves.restore();
    annotations.open(1, structuredClone(state));
    const pending = saves.pending(1);
    if (pending !== null) annotations.reapply(pending, saves.reach(1));
    const undo = (): boolean => {
      const found = saves.travel(1, "undo", annotations.current.value, "points");
      if (found !== null) annotations.travel(found);
      return found !== null;
    };
    await soon(500);
    return { annotations, saves, undo };
  }

  test("undo after a reload brings a removed region back with its shape", async () => {
    const [storage, state] = [memoryStorage(), { ...EMPTY_ANNOTATION, revision: 4, regions: [BOX, STROKE], can_undo: true }];
    const first = await open(storage, state);
    first.annotations.edit({ regions: first.annotations.regions.slice(1) });
    await soon(500);
    // What no step leads away from is on screen anyway.
    const kept = [...storage.map.values()].join("");
    expect([kept.includes('"x1":3'), kept.includes('"x1":9')]).toEqual([true, false]);
    const next = await open(storage, state);
    expect(next.annotations.regions).toEqual([STROKE]);
    expect(next.undo()).toBe(true);
    expect(next.annotations.regions).toEqual([BOX, STROKE]);
  });

  test("so does undo of a removal after the reload", async () => {
    const [storage, state] = [memoryStorage(), { ...EMPTY_ANNOTATION, revision: 4, regions: [BOX, STROKE], can_undo: true }];
    const first = await open(storage, state);
    first.annotations.addPoint(1, 1, 1);
    await soon(500);
    const next = await open(storage, state);
    next.annotations.edit({ regions: [] });
    expect([next.undo(), next.annotations.regions]).toEqual([true, [BOX, STROKE]]);
    expect([next.undo(), next.annotations.regions, next.annotations.current.value.points]).toEqual([true, [BOX, STROKE], []]);
  });

  test("what is done after a reload can be undone, also where the steps before it took too much room to be kept", async () => {
    const [storage, state] = [memoryStorage(), { ...EMPTY_ANNOTATION, revision: 4, points: POINTS, can_undo: true }];
    const first = await open(storage, state);
    for (let i = 0; i < 16; i += 1) {
      first.annotations.addPoint(1 + i, 1, 1);
      await soon(200);
    }
    const next = await open(storage, state);
    for (const x of [5, 6]) next.annotations.addPoint(x, 5, 2);
    for (const count of [1_017, 1_016]) {
      expect(next.undo()).toBe(true);
      expect([next.annotations.current.value.points.length, next.annotations.current.value.can_undo]).toEqual([count, true]);
    }
    expect(next.undo()).toBe(false);
  });

  test("a click takes no more work for the clicks before it, and of a quick series only what changed is written one by one", async () => {
    const storage = memoryStorage();
    const page = await open(storage, { ...EMPTY_ANNOTATION, revision: 4, points: POINTS, can_undo: true });
    const written = vi.spyOn(storage, "setItem");
    const texts = vi.spyOn(JSON, "stringify");
    const lengths = (): number[] => written.mock.calls.map(([, text]) => text.length);
    try {
      page.annotations.addPoint(0, 1, 1);
      await soon(500);
      written.mockClear();
      for (let i = 0; i < 40; i += 1) page.annotations.addPoint(1 + i, 1, 1);
      await soon(500);
      expect(lengths().filter((length) => length > 5_000).length).toBeLessThan(5);
      expect(lengths()).toHaveLength(41);
      texts.mockClear();
      written.mockClear();
      for (let i = 0; i < 5; i += 1) {
        page.annotations.addPoint(1 + i, 2, 1);
        await soon(200);
      }
      // Of the draft alone: that all the steps are too long is known by now.
      expect([lengths().filter((length) => length < 300).length, lengths().length, texts.mock.calls.length]).toEqual([5, 10, 10]);
    } finally {
      texts.mockRestore();
    }
  });
});
