import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Signal } from "../../src/state/signal";
import { patient } from "../../src/sync/patient";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function watched() {
  const source = new Signal("saved");
  const told = patient(source, (status) => status === "saving", 150);
  const heard: string[] = [];
  told.subscribe((status) => heard.push(status));
  return { source, told, heard };
}

test("what passes at once is not told", () => {
  const { source, heard } = watched();
  source.set("saving");
  vi.advanceTimersByTime(149);
  source.set("saved");
  vi.advanceTimersByTime(1_000);
  expect(heard).toEqual([]);
});

test("what lasts is told", () => {
  const { source, told, heard } = watched();
  source.set("saving");
  vi.advanceTimersByTime(150);
  expect(told.value).toBe("saving");
  source.set("saved");
  expect(heard).toEqual(["saving", "saved"]);
});

test("anything else is told at once", () => {
  const { source, heard } = watched();
  source.set("saving");
  source.set("offline");
  expect(heard).toEqual(["offline"]);
  vi.advanceTimersByTime(1_000);
  expect(heard).toEqual(["offline"]);
});

test("a second wait begins anew", () => {
  const { source, heard } = watched();
  source.set("saving");
  vi.advanceTimersByTime(100);
  source.set("saved");
  source.set("saving");
  vi.advanceTimersByTime(100);
  expect(heard).toEqual([]);
  vi.advanceTimersByTime(50);
  expect(heard).toEqual(["saving"]);
});
