import { expect, test } from "vitest";

import { DEFAULT_PREFERENCES, exported, imported, PreferenceStore } from "../../src/state/preferences";
import { memoryStorage } from "../memory_storage";

test("exported, imported: keys and looks go along, what belongs to this browser stays", () => {
  const text = exported({ ...DEFAULT_PREFERENCES, theme: "dark", keys: { next: ["y"] }, hints_done: ["a"] });
  expect(imported(text)).toMatchObject({ theme: "dark", keys: { next: ["y"] } });
  expect(imported(text)).not.toHaveProperty("hints_done");
});

test.each(["", "[]", "{}", "nonsense"])("imported: %j is no such file", (text) => expect(imported(text)).toBeNull());

test("imported: what is of another kind is not taken", () => {
  expect(imported('{"fewclick_preferences": 1, "overlay_opacity": "much", "other": 1, "keys": {"next": 3}}')).toEqual({ keys: {} });
});

test("PreferenceStore: what an older page stored lacks nothing", () => {
  const store = new PreferenceStore(memoryStorage({ "fewclick:preferences": '{"theme": "dark", "keys": 7}' }));
  expect(store.value).toMatchObject({ theme: "dark", keys: {}, hints_done: [] });
});
