import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { memoryStorage } from "../memory_storage";
import { saidOn, Server, visit } from "./undo_rig";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("undone: the message of a skip stays where an undo leads back to it", async () => {
  const server = new Server();
  server.say("class 1");
  const page = visit(server, memoryStorage());
  page.annotations.open(1, server.state());
  const pass = (): Promise<unknown> => vi.advanceTimersByTimeAsync(100);
  await Promise.all([page.labelling.skip(), pass()]);
  page.labelling.chooseClass(3);
  await pass();
  await Promise.all([page.labelling.undo(), pass()]);
  expect([saidOn(page), page.toasts.value.map(({ text }) => text)]).toEqual(["skipped", ["Skipped image 1: its label “class 1” was taken off."]]);
  await Promise.all([page.labelling.undo(), pass()]);
  expect([saidOn(page), page.toasts.value]).toEqual(["class 1", []]);
});
