import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { memoryStorage } from "../memory_storage";
import { Expected, random, Server, visit, type Said } from "./undo_rig";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("Labelling: undo, redo and saves under any weather", () => {
  test.each(Array.from({ length: 60 }, (_, i) => i + 1))("waiting between actions, seed %i: each step is one action, over reloads", async (seed) => {
    const draw = random(seed);
    const server = new Server();
    const storage = memoryStorage();
    const expected = new Expected();
    let page = visit(server, storage);
    page.annotations.open(1, server.state());
    for (let i = 0; i < 30; i += 1) {
      const action = draw();
      if (action < 0.2) server.weather.push(...(["away", "answer lost", "cannot save"] as const).filter(() => draw() < 0.4));
      if (action < 0.5) {
        const class_id = 1 + Math.floor(draw() * 3);
        page.labelling.chooseClass(class_id);
        expected.say(`class ${class_id}` as Said);
      } else if (action < 0.6) {
        void page.labelling.skip();
        expected.say("skipped");
      } else if (action < 0.66) {
        void page.labelling.markUndetermined();
        expected.say("undetermined");
      } else if (action < 0.82) {
        server.weather.splice(0);
        void page.labelling.undo();
        expected.undo();
      } else if (action < 0.92) {
        server.weather.splice(0);
        void page.labelling.redo();
        expected.redo();
      } else {
        page = visit(server, storage);
        page.annotations.open(1, server.state());
      }
      await vi.advanceTimersByTimeAsync(60_000);
      expect([page.saves.status.value, server.said, server.steps]).toEqual(["saved", expected.said, expected.steps]);
      expect(page.annotations.current.value).toEqual(server.state());
      expect(storage.map.size).toBe(0);
    }
  });

  test.each(Array.from({ length: 60 }, (_, i) => 100 + i))("without waiting, pages closed at any moment, seed %i: what was said last is saved in the end", async (seed) => {
    const draw = random(seed);
    const server = new Server();
    const storage = memoryStorage();
    let page = visit(server, storage);
    page.annotations.open(1, server.state());
    let last: Said = "nothing";
    for (let i = 0; i < 20; i += 1) {
      if (draw() < 0.4) server.weather.push(draw() < 0.5 ? "away" : "cannot save");
      const action = draw();
      if (action < 0.6) {
        const class_id = 1 + Math.floor(draw() * 3);
        page.labelling.chooseClass(class_id);
        last = `class ${class_id}` as Said;
      } else if (action < 0.8) {
        void page.labelling.skip();
        last = "skipped";
      } else {
        // Closed: requests under way are cut off before the server has them, and nothing of the page runs on.
        page.saves.store();
        vi.clearAllTimers();
        page = visit(server, storage);
        await page.saves.restore();
        page.annotations.open(1, server.state());
        const pending = page.saves.pending(1);
        if (pending !== null) page.annotations.reapply(pending);
      }
      await vi.advanceTimersByTimeAsync(Math.floor(draw() * 400));
    }
    server.weather.splice(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([page.saves.status.value, server.said, storage.map.size, page.toasts.value.filter(({ kind }) => kind !== "info").length]).toEqual(["saved", last, 0, 0]);
    expect(page.annotations.current.value).toEqual(server.state());
  });
});
