import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Calm, inCalm } from "../../src/sync/calm";

const PACE = { after_ms: 250, every_ms: 1_000 };
let is_awaited: boolean;
let is_saving: boolean;
let calm: Calm;
let work: ReturnType<typeof vi.fn<() => Promise<void>>>;

beforeEach(() => {
  vi.useFakeTimers();
  is_awaited = false;
  is_saving = false;
  calm = new Calm(() => is_awaited, () => is_saving);
  work = vi.fn(() => Promise.resolve());
});

afterEach(() => {
  vi.useRealTimers();
});

async function isCalm(after_ms: number): Promise<boolean> {
  const come = vi.fn();
  void calm.come().then(come);
  await vi.advanceTimersByTimeAsync(after_ms);
  return come.mock.calls.length > 0;
}

describe("Calm", () => {
  test("is there while nobody does anything, whatever is being learned", async () => {
    is_awaited = true;
    expect(await isCalm(0)).toBe(true);
  });

  test("comes well after a click", async () => {
    calm.acted();
    expect(await isCalm(400)).toBe(false);
    expect(await isCalm(50)).toBe(true);
  });

  test("comes after the overlay, if that takes longer", async () => {
    calm.acted();
    is_awaited = true;
    expect(await isCalm(1_000)).toBe(false);
    is_awaited = false;
    expect(await isCalm(50)).toBe(true);
  });

  test("does not wait for an overlay that does not come", async () => {
    calm.acted();
    is_awaited = true;
    expect(await isCalm(2_000)).toBe(true);
  });

  test("comes in the middle of a series that does not end", async () => {
    const come = vi.fn();
    calm.acted();
    void calm.come().then(come);
    for (let elapsed_ms = 0; elapsed_ms < 5_000; elapsed_ms += 200) {
      expect(come).not.toHaveBeenCalled();
      calm.acted();
      await vi.advanceTimersByTimeAsync(200);
    }
    expect(come).toHaveBeenCalledOnce();
  });

  test("is there at once on another image", async () => {
    calm.acted();
    calm.movedOn();
    expect(await isCalm(0)).toBe(true);
  });

  test("is there on another image once the label is saved, or takes too long", async () => {
    calm.acted();
    is_saving = true;
    calm.movedOn();
    expect(await isCalm(100)).toBe(false);
    is_saving = false;
    expect(await isCalm(50)).toBe(true);
    calm.acted();
    is_saving = true;
    calm.movedOn();
    expect(await isCalm(2_000)).toBe(true);
  });
});

describe("inCalm", () => {
  test("once, however often it was asked for, and again when it is asked for later", async () => {
    const soon = inCalm(calm, work, PACE);
    for (let i = 0; i < 3; i += 1) soon();
    await vi.advanceTimersByTimeAsync(249);
    expect(work).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(work).toHaveBeenCalledOnce();
    soon();
    await vi.advanceTimersByTimeAsync(250);
    expect(work).toHaveBeenCalledTimes(2);
  });

  test("at most once in its interval, and what is asked for meanwhile is not lost", async () => {
    const soon = inCalm(calm, work, PACE);
    for (let elapsed_ms = 0; elapsed_ms < 3_400; elapsed_ms += 100) {
      soon();
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(work).toHaveBeenCalledTimes(4);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(work).toHaveBeenCalledTimes(5);
  });

  test("never within 400 ms of a click, in a series of them", async () => {
    const soon = inCalm(calm, work, PACE);
    let clicked_ms = 0;
    const since_click: number[] = [];
    work.mockImplementation(() => {
      since_click.push(performance.now() - clicked_ms);
      return Promise.resolve();
    });
    for (let click = 0; click < 20; click += 1) {
      clicked_ms = performance.now();
      calm.acted();
      soon();
      await vi.advanceTimersByTimeAsync(click % 2 === 0 ? 300 : 700);
    }
    expect(since_click.length).toBeGreaterThan(5);
    expect(Math.min(...since_click)).toBeGreaterThan(400);
  });

  test("what is asked for while the work is being done is done again", async () => {
    const soon = inCalm(calm, work, PACE);
    work.mockImplementationOnce(() => {
      soon();
      return Promise.resolve();
    });
    soon();
    await vi.advanceTimersByTimeAsync(1_250);
    expect(work).toHaveBeenCalledTimes(2);
  });
});
