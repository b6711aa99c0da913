import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { EMPTY_ANNOTATION } from "../../src/state/annotations";
import { memoryStorage } from "../memory_storage";
import { Expected, killed, random, saidOn, Server, visit, type Said } from "./undo_rig";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Page = ReturnType<typeof visit>;

/** A page of which nothing runs on, and the one that is opened next. */
async function reloaded(page: Page, server: Server, storage: ReturnType<typeof memoryStorage>): Promise<Page> {
  page.saves.store();
  return killed(server, storage);
}

async function soon(ms = 100): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

function start(): { server: Server; storage: ReturnType<typeof memoryStorage>; page: Page } {
  const [server, storage] = [new Server(), memoryStorage()];
  const page = visit(server, storage);
  page.annotations.open(1, server.state());
  return { server, storage, page };
}

/** Class 1, then class 2, both saved. */
async function startWithTwoSaid(): Promise<Pick<ReturnType<typeof start>, "server" | "page">> {
  const { server, page } = start();
  page.labelling.chooseClass(1);
  await soon();
  page.labelling.chooseClass(2);
  await soon();
  return { server, page };
}

describe("undo and redo without a server", () => {
  test.each(Array.from({ length: 120 }, (_, i) => i + 1))("seed %i: the same states on screen, and the same history once it is back", async (seed) => {
    const draw = random(seed);
    const expected = new Expected();
    const { server, storage, page: first } = start();
    let page = first;
    for (let i = 0; i < 40; i += 1) {
      const action = draw();
      if (action < 0.1) server.is_away = true;
      else if (action < 0.15) {
        server.is_away = false;
        if (draw() < 0.5) server.weather.push("answer lost");
        await soon(60_000);
      }
      if (action < 0.4) {
        const class_id = 1 + Math.floor(draw() * 3);
        page.labelling.chooseClass(class_id);
        expected.say(`class ${class_id}` as Said);
      } else if (action < 0.5) {
        void page.labelling.skip();
        expected.say("skipped");
      } else if (action < 0.75) {
        if (await done(page, server, "undo")) expected.undo();
      } else if (action < 0.92) {
        if (await done(page, server, "redo")) expected.redo();
      } else if (server.is_away) page = await reloaded(page, server, storage);
      await soon();
      expect(saidOn(page)).toBe(expected.said);
      // Nothing is undone that the history does not have, and no more is offered.
      if (expected.steps.length === 1) expect(page.annotations.current.value.can_undo).toBe(false);
    }
    server.is_away = false;
    server.weather.splice(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([page.saves.status.value, server.said, server.steps]).toEqual(["saved", expected.said, expected.steps]);
    expect(page.annotations.current.value).toEqual(server.state());
    expect([storage.map.size, page.toasts.value.filter(({ kind }) => kind === "error")]).toEqual([0, []]);
  });

  test("undo of what was sent before the connection went, and redo after it came back", async () => {
    const { server, page } = await startWithTwoSaid();
    server.is_away = true;
    // Nothing waits: that nobody answers turns out now.
    expect(await settled(page.labelling.undo())).toBe(true);
    expect([saidOn(page), page.saves.status.value]).toEqual(["class 1", "offline"]);
    expect(page.annotations.current.value).toMatchObject({ can_undo: true, can_redo: true });
    expect(await settled(page.labelling.undo())).toBe(true);
    expect(page.annotations.current.value).toMatchObject({ label: null, can_undo: false, can_redo: true });
    expect(await settled(page.labelling.undo())).toBe(false);
    server.is_away = false;
    await soon(60_000);
    expect([server.said, page.saves.status.value]).toEqual(["nothing", "saved"]);
    expect(await settled(page.labelling.redo())).toBe(true);
    await soon();
    expect([server.said, saidOn(page)]).toEqual(["class 1", "class 1"]);
  });

  test("what only the server knows is told in one line", async () => {
    const { server, storage, page } = start();
    page.labelling.chooseClass(1);
    await soon();
    const later = visit(server, storage);
    later.annotations.open(1, server.state());
    server.is_away = true;
    later.labelling.chooseClass(2);
    await soon();
    expect(await settled(later.labelling.undo())).toBe(true);
    expect(await settled(later.labelling.undo())).toBe(false);
    expect(later.toasts.value.at(-1)?.text).toBe(
      "What was done before is known to the server alone, which cannot be asked now. You can undo it when it is back.",
    );
    expect(saidOn(later)).toBe("class 1");
  });

  test("a change from elsewhere meanwhile: all undone here, so theirs is shown; else the person decides", async () => {
    for (const undone of [true, false]) {
      const { server, page } = start();
      server.is_away = true;
      page.labelling.chooseClass(1);
      await soon();
      if (undone) await settled(page.labelling.undo());
      server.is_away = false;
      await settled(server.put({ kind: "label", class_id: 3 }, 0));
      await soon(60_000);
      expect([server.said, saidOn(page), page.saves.status.value]).toEqual(["class 3", "class 3", "saved"]);
      expect(page.toasts.value.map(({ action }) => action?.text)).toEqual(undone ? [] : ["Use mine instead"]);
    }
  });

  test.each([0, 1])("quick undos as the connection goes are all done, in their order, behind %i saves", async (saves) => {
    const { server, page } = start();
    for (const class_id of [1, 2, 3].slice(0, 3 - saves)) {
      page.labelling.chooseClass(class_id);
      await soon();
    }
    server.is_away = true;
    if (saves > 0) page.labelling.chooseClass(3);
    const undone = [page.labelling.undo(), page.labelling.undo()];
    await soon();
    expect([await Promise.all(undone), saidOn(page), page.toasts.value]).toEqual([[true, true], "class 1", []]);
    server.is_away = false;
    await soon(60_000);
    expect([server.said, saidOn(page), server.state().can_redo]).toEqual(["class 1", "class 1", true]);
    for (const said of ["class 2", "class 3"]) {
      await settled(page.labelling.redo());
      expect(server.said).toBe(said);
    }
  });

  test("an undo that got no answer after its image was left names that image, and does nothing to the next", async () => {
    const { server, page } = start();
    page.labelling.chooseClass(1);
    await soon();
    server.is_away = true;
    const undone = page.labelling.undo();
    await soon(5);
    page.annotations.open(2, EMPTY_ANNOTATION);
    await soon();
    expect(await undone).toBe(false);
    expect(page.toasts.value.map(({ text }) => text)).toEqual(["Image 1: No answer came to the undo, which may have been done. The server is asked until it answers."]);
    expect(page.annotations.current.value).toEqual(EMPTY_ANNOTATION);
  });

  test("a redo takes back the undo that was never sent, so going to and fro is not kept", async () => {
    const { server, storage, page } = start();
    server.is_away = true;
    for (const class_id of [1, 2]) {
      page.labelling.chooseClass(class_id);
      await soon();
    }
    await soon(500);
    const text = (): string => [...storage.map.values()].join("").replaceAll(/"at":\d+/g, "");
    const kept = text().length;
    for (let i = 0; i < 50; i += 1) {
      expect(await settled(page.labelling.undo())).toBe(true);
      expect([saidOn(page), page.annotations.current.value.can_redo]).toEqual(["class 1", true]);
      expect(await settled(page.labelling.redo())).toBe(true);
      expect([saidOn(page), page.annotations.current.value.can_redo]).toEqual(["class 2", false]);
    }
    await soon(500);
    expect(text()).toHaveLength(kept);
    server.is_away = false;
    await soon(60_000);
    expect([server.said, server.steps]).toEqual(["class 2", ["nothing", "class 1", "class 2"]]);
  });

  test("an undo that the server cannot do any more is sent as what it leads to", async () => {
    const { server, page } = await startWithTwoSaid();
    server.is_away = true;
    await settled(page.labelling.undo());
    server.forgetHistory();
    server.is_away = false;
    await soon(60_000);
    expect([server.said, saidOn(page), page.saves.status.value]).toEqual(["class 1", "class 1", "saved"]);
  });

  test("an undo under way when the page is closed is kept, and done once", async () => {
    const { server, storage, page } = start();
    server.is_away = true;
    for (const class_id of [1, 2, 3]) {
      page.labelling.chooseClass(class_id);
      await soon();
    }
    await settled(page.labelling.undo());
    const next = await reloaded(page, server, storage);
    expect([saidOn(next), next.annotations.current.value.can_redo]).toEqual(["class 2", true]);
    server.is_away = false;
    server.weather.push("answer lost", "answer lost");
    await soon(60_000);
    expect([server.said, server.steps, storage.map.size]).toEqual(["class 2", ["nothing", "class 1", "class 2"], 0]);
  });
});

async function settled<T>(work: Promise<T>): Promise<T> {
  await soon();
  return work;
}

/** Of one without an answer, to what the page does not know, the server is asked. */
async function done(page: Page, server: Server, travel: "undo" | "redo"): Promise<boolean> {
  const told = page.toasts.value.at(-1);
  if (await settled(page.labelling[travel]())) return true;
  const last = page.toasts.value.at(-1);
  if (last === told || last?.text.startsWith("No answer came") !== true) return false;
  server.is_away = false;
  await soon(60_000);
  return true;
}
