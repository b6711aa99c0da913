import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createApp } from "../src/app";
import { EMPTY_ANNOTATION } from "../src/state/annotations";
import type { Annotation, Config } from "../src/state/types";
import { memoryStorage } from "./memory_storage";

const CONFIG = {
  session: { name: "s", created_at: "2026-01-01T00:00:00Z" },
  task: "classification",
  training: { strategy: "random", head: "linear" },
  classes: [],
} as unknown as Config;

/** A connection that a test opens and cuts. */
class Source extends EventTarget {
  static readonly CLOSED = 2;
  static last: Source | null = null;
  readonly readyState = 0;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor() {
    super();
    Source.last = this;
  }
}

let answer: Annotation;
const asked: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("fetch", (request: Request) => {
    asked.push(request.url);
    return Promise.resolve(Response.json(answer));
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("the connection for events is back: the open image is shown as it is by now, and not drawn anew where nothing has changed", async () => {
  const { annotations, events } = appOf();
  answer = { ...EMPTY_ANNOTATION, revision: 1 };
  annotations.open(7, answer);
  const shown = annotations.current.value;
  events.open();
  Source.last?.onopen?.();
  await vi.advanceTimersByTimeAsync(100);
  expect(asked.filter((url) => url.includes("/images/7/"))).toHaveLength(1);
  expect(annotations.current.value).toBe(shown);
  Source.last?.onerror?.();
  answer = { ...EMPTY_ANNOTATION, revision: 2, skipped: true };
  Source.last?.onopen?.();
  await vi.advanceTimersByTimeAsync(100);
  expect(annotations.current.value).toMatchObject({ revision: 2, skipped: true });
});

function appOf(): Pick<ReturnType<typeof createApp>, "annotations" | "events"> {
  return createApp("http://127.0.0.1:1/", CONFIG, [], memoryStorage());
}
