import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { EMPTY_ANNOTATION } from "../../src/state/annotations";
import { memoryStorage } from "../memory_storage";
import { Expected, killed, random, saidOn, Server, visit, type Said } from "./undo_rig";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Page = ReturnType<typeof visit>;

/** An image that was labelled in an earlier visit: what undo leads to, the server alone knows; `redo` as well, if so much was undone. */
async function start(undone = 0): Promise<{ server: Server; storage: ReturnType<typeof memoryStorage>; page: Page }> {
  const [server, storage] = [new Server(), memoryStorage()];
  for (const said of ["class 1", "class 2", "skipped"] as const) server.say(said);
  for (let i = 0; i < undone; i += 1) await soon(server.step(-1, null));
  const page = visit(server, storage);
  page.annotations.open(1, server.state());
  return { server, storage, page };
}

async function soon<T>(work: T | Promise<T>, ms = 100): Promise<T> {
  await vi.advanceTimersByTimeAsync(ms);
  return work;
}

describe.each(["undo", "redo"] as const)("the answer to the %s of an image that was opened with a history is lost", (travel) => {
  const [undone, said] = travel === "undo" ? ([1, "class 1"] as const) : ([2, "class 2"] as const);

  test("nothing is called saved until the page knows what it led to", async () => {
    const { server, page } = await start(undone);
    server.weather.push("answer lost");
    expect(await soon(page.labelling[travel]())).toBe(false);
    expect([server.said, page.saves.status.value]).toEqual([said, "offline"]);
    expect(page.toasts.value.map(({ text }) => text)).toEqual([`No answer came to the ${travel}, which may have been done. The server is asked until it answers.`]);
    await soon(null, 5_000);
    expect([page.annotations.current.value, page.saves.status.value]).toEqual([server.state(), "saved"]);
    page.labelling.chooseClass(3);
    await soon(null);
    expect([server.said, page.toasts.value.length]).toEqual(["class 3", 1]);
  });

  test.each(["answer lost", "away"] as const)("and the person goes on before the server is asked again (%s)", async (weather) => {
    const { server, page } = await start(undone);
    server.weather.push(weather);
    void page.labelling[travel]();
    page.labelling.chooseClass(3);
    await soon(null, 60_000);
    expect([server.said, server.steps.at(-2), saidOn(page), page.saves.status.value]).toEqual(["class 3", said, "class 3", "saved"]);
    expect(page.annotations.current.value).toEqual(server.state());
  });

  test("it never arrived: it is done once, when the server is back", async () => {
    const { server, page } = await start(undone);
    server.is_away = true;
    void page.labelling[travel]();
    await soon(null, 30_000);
    expect([server.said, page.saves.status.value]).toEqual([travel === "undo" ? "class 2" : "class 1", "offline"]);
    server.is_away = false;
    await soon(null, 60_000);
    expect([server.said, saidOn(page), page.saves.status.value]).toEqual([said, said, "saved"]);
  });

  test("the server cannot save: it says why, and does it once it can", async () => {
    const { server, page } = await start(undone);
    server.weather.push("cannot save");
    void page.labelling[travel]();
    await soon(null);
    expect(page.toasts.value.map(({ text }) => text)).toEqual([`The ${travel} is not done yet: the disk is full. The server is asked again.`]);
    await soon(null, 5_000);
    expect([server.said, page.annotations.current.value, page.saves.status.value]).toEqual([said, server.state(), "saved"]);
  });

  test("two in a row", async () => {
    const { server, page } = await start(travel === "undo" ? 0 : 2);
    server.weather.push("answer lost");
    const both = [page.labelling[travel](), page.labelling[travel]()];
    await soon(null, 5_000);
    expect([await Promise.all(both), server.said]).toEqual([[false, true], travel === "undo" ? "class 1" : "skipped"]);
    expect([page.annotations.current.value, page.saves.status.value]).toEqual([server.state(), "saved"]);
  });

  test("somebody else said something meanwhile: that is shown, and what was done here since is asked about", async () => {
    for (const goes_on of [false, true]) {
      const { server, page } = await start(undone);
      server.is_away = true;
      void page.labelling[travel]();
      if (goes_on) page.labelling.chooseClass(3);
      await soon(null);
      server.say("undetermined");
      server.is_away = false;
      await soon(null, 60_000);
      expect([server.said, saidOn(page), page.saves.status.value]).toEqual(["undetermined", "undetermined", "saved"]);
      expect(page.toasts.value.flatMap(({ action }) => action?.text ?? [])).toEqual(goes_on ? ["Use mine instead"] : []);
    }
  });

  test("the image was left: the message names it, and the next one stays as it is", async () => {
    const { server, page } = await start(undone);
    server.weather.push("answer lost");
    const done = page.labelling[travel]();
    await soon(null, 5);
    page.annotations.open(2, EMPTY_ANNOTATION);
    expect(await soon(done)).toBe(false);
    expect(page.toasts.value.at(-1)?.text).toBe(`Image 1: No answer came to the ${travel}, which may have been done. The server is asked until it answers.`);
    await soon(null, 5_000);
    expect([page.annotations.current.value, page.saves.newer(1, EMPTY_ANNOTATION), page.saves.status.value]).toEqual([EMPTY_ANNOTATION, server.state(), "saved"]);
  });
});

test("undo: what was said behind one without an answer can be undone before the server is back", async () => {
  const { server, page } = await start(1);
  server.is_away = true;
  void page.labelling.undo();
  await soon(null);
  page.labelling.chooseClass(3);
  await soon(null);
  expect([await soon(page.labelling.undo()), saidOn(page)]).toEqual([true, "class 2"]);
  server.is_away = false;
  await soon(null, 60_000);
  // The first one is done by then.
  expect([server.said, server.state().can_redo, page.saves.status.value]).toEqual(["class 1", true, "saved"]);
  expect(page.annotations.current.value).toEqual(server.state());
});

test("undo: the answer is lost of one that leads to what the page knows, and the person goes on", async () => {
  const { server, page } = await start(1);
  page.labelling.chooseClass(3);
  await soon(null);
  server.weather.push("answer lost");
  void page.labelling.undo();
  page.labelling.chooseClass(1);
  await soon(null, 60_000);
  expect([server.said, server.steps.at(-2), saidOn(page), page.saves.status.value, page.toasts.value.filter(({ keep }) => keep)]).toEqual(["class 1", "class 2", "class 1", "saved", []]);
});

describe("an image with a history, under any weather", () => {
  test.each(Array.from({ length: 80 }, (_, i) => i + 1))("seed %i: one step of the history for each action, whatever is lost, over reloads and kills", async (seed) => {
    const draw = random(seed);
    const { server, storage, page: first } = await start(seed % 4);
    const expected = new Expected();
    expected.steps = [...server.steps];
    for (let i = 0, all = ["class 1", "class 2", "skipped"] as const; i < seed % 4 && i < 3; i += 1) expected.undone.push(all.at(-1 - i) ?? "nothing");
    let page = first;
    for (let i = 0; i < 30; i += 1) {
      if (draw() < 0.5) server.weather.push(...(["away", "answer lost", "cannot save", "answer lost"] as const).filter(() => draw() < 0.4));
      const action = draw();
      if (action < 0.35) {
        const class_id = 1 + Math.floor(draw() * 3);
        page.labelling.chooseClass(class_id);
        expected.say(`class ${class_id}` as Said);
      } else if (action < 0.4) {
        void page.labelling.skip();
        expected.say("skipped");
      } else if (action < 0.65) {
        void page.labelling.undo();
        expected.undo();
      } else if (action < 0.85) {
        void page.labelling.redo();
        expected.redo();
      } else page = await killed(server, storage);
      await soon(null, 60_000);
      expect([page.saves.status.value, server.said, server.steps, storage.map.size]).toEqual(["saved", expected.said, expected.steps, 0]);
      expect(page.annotations.current.value).toEqual(server.state());
      expect(page.toasts.value.filter(({ keep }) => keep)).toEqual([]);
      server.weather.splice(0);
    }
  });

  test.each(Array.from({ length: 80 }, (_, i) => i + 1))("seed %i, without waiting: in the end the screen says what the server says, and nobody was in the way", async (seed) => {
    const draw = random(seed);
    const { server, page } = await start(seed % 4);
    let last: Said | null = null;
    const told = new Set<string>();
    page.toasts.subscribe((toasts) => toasts.forEach(({ text }) => told.add(text)));
    for (let i = 0; i < 20; i += 1) {
      if (draw() < 0.5) server.weather.push(draw() < 0.5 ? "away" : "answer lost");
      const action = draw();
      if (action < 0.4) {
        const class_id = 1 + Math.floor(draw() * 3);
        page.labelling.chooseClass(class_id);
        last = `class ${class_id}` as Said;
      } else if (action < 0.75) {
        void page.labelling.undo();
        last = null;
      } else {
        void page.labelling.redo();
        last = null;
      }
      await soon(null, Math.floor(draw() * 400));
    }
    server.weather.splice(0);
    await soon(null, 60_000);
    expect([page.saves.status.value, page.annotations.current.value]).toEqual(["saved", server.state()]);
    // Of a redo to the newest state nobody can tell whose it is.
    if (![...told].some((text) => text.startsWith("No answer came to the redo"))) {
      expect(page.toasts.value.filter(({ keep }) => keep)).toEqual([]);
      if (last !== null) expect(server.said).toBe(last);
    }
  });
});
