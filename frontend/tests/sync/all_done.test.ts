import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { AllDoneMoment } from "../../src/sync/all_done";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("has_come: not while somebody is at work, again after a rest", () => {
  const moment = new AllDoneMoment();
  expect(moment.has_come.value).toBe(true);
  for (const wait_ms of [0, 3_000, 4_900]) {
    vi.advanceTimersByTime(wait_ms);
    moment.acted();
    expect(moment.has_come.value).toBe(false);
  }
  vi.advanceTimersByTime(4_900);
  expect(moment.has_come.value).toBe(false);
  vi.advanceTimersByTime(200);
  expect(moment.has_come.value).toBe(true);
});

test("has_come: at once when the person goes on from the last image", () => {
  const moment = new AllDoneMoment();
  moment.acted();
  moment.cameToTheEnd();
  expect(moment.has_come.value).toBe(true);
});
