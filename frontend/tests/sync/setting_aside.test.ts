import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { EMPTY_ANNOTATION } from "../../src/state/annotations";
import { memoryStorage } from "../memory_storage";
import { saidOn, Server, visit } from "./undo_rig";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pass = (): Promise<unknown> => vi.advanceTimersByTimeAsync(100);

/** A page whose first image was labelled, and is skipped. */
async function skipped(): Promise<ReturnType<typeof visit>> {
  const server = new Server();
  server.say("class 1");
  const page = visit(server, memoryStorage());
  page.annotations.open(1, server.state());
  await Promise.all([page.labelling.skip(), pass()]);
  return page;
}

test("undone: the message of a skip stays where an undo leads back to it", async () => {
  const page = await skipped();
  page.labelling.chooseClass(3);
  await pass();
  await Promise.all([page.labelling.undo(), pass()]);
  expect([saidOn(page), page.toasts.value.map(({ text }) => text)]).toEqual(["skipped", ["Skipped image 1: its label “class 1” was taken off."]]);
  await Promise.all([page.labelling.undo(), pass()]);
  expect([saidOn(page), page.toasts.value]).toEqual(["class 1", []]);
});

test.each([
  ["goes where that took the skip back, though the image open by now is skipped", false, true],
  ["goes where that took the skip back, and the image open by now is not", false, false],
  ["stays where that led back to the skip, though the image open by now is not skipped", true, false],
])("undone: of an image left before the answer came, the message %s", async (_, is_labelled_after, is_next_skipped) => {
  const page = await skipped();
  if (is_labelled_after) {
    page.labelling.chooseClass(3);
    await pass();
  }
  const undoing = page.labelling.undo();
  page.annotations.open(2, { ...EMPTY_ANNOTATION, skipped: is_next_skipped });
  await Promise.all([undoing, pass()]);
  expect(page.toasts.value.filter(({ text }) => text.startsWith("Skipped image 1"))).toHaveLength(is_labelled_after ? 1 : 0);
});
