import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { EventStream, type ServerEvent } from "../../src/sync/event_stream";

class FakeSource {
  static readonly CLOSED = 2;
  static made: FakeSource[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  readonly heard = new Map<string, (message: { data: string }) => void>();

  constructor(readonly url: string) {
    FakeSource.made.push(this);
  }

  addEventListener(kind: string, listener: (message: { data: string }) => void): void {
    this.heard.set(kind, listener);
  }

  close(): void {
    this.readyState = FakeSource.CLOSED;
  }
}

function open(): FakeSource[] {
  return FakeSource.made.filter(({ readyState }) => readyState !== FakeSource.CLOSED);
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.made = [];
  vi.stubGlobal("EventSource", FakeSource);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("one connection, however often it is opened", () => {
  const stream = new EventStream("events");
  for (let i = 0; i < 5; i += 1) stream.open();
  expect(FakeSource.made).toHaveLength(1);
});

test("one connection after it was closed and opened again, or refused by the server", async () => {
  const stream = new EventStream("events");
  stream.open();
  stream.close();
  stream.open();
  expect(open()).toHaveLength(1);
  const [source] = open();
  source?.close();
  source?.onerror?.();
  expect(stream.connected.value).toBe(false);
  // Opened by hand before the stream does so itself.
  stream.open();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(open()).toHaveLength(1);
});

test("an event reaches every listener once", () => {
  const stream = new EventStream("events");
  const heard: ServerEvent[] = [];
  stream.listen((event) => heard.push(event));
  stream.open();
  stream.open();
  FakeSource.made[0]?.heard.get("annotation")?.({ data: '{"image_id": 3, "revision": 2}' });
  expect(heard).toEqual([{ kind: "annotation", image_id: 3, revision: 2 }]);
});
