import { afterEach, expect, test, vi } from "vitest";

import { OverflowStorage } from "../../src/sync/overflow_storage";

afterEach(() => void vi.unstubAllGlobals());

test("an opening that failed is tried again", async () => {
  const opened = vi.fn(() => {
    const request: { onerror: (() => void) | null; error: DOMException } = { onerror: null, error: new DOMException("locked", "UnknownError") };
    queueMicrotask(() => request.onerror?.());
    return request;
  });
  vi.stubGlobal("indexedDB", { open: opened });
  const storage = new OverflowStorage();
  await expect(storage.put("a", "1")).rejects.toThrow("locked");
  await expect(storage.put("a", "1")).rejects.toThrow("locked");
  expect(opened).toHaveBeenCalledTimes(2);
});
