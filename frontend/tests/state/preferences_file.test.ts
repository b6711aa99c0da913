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

const OLDER = { overlay_style: "confidence", hint_dismissed: true };
const CHOSEN = { views: { "2026-01-01": { confidence_class_id: 3 } } };

test.each([
  [OLDER, "certainty"],
  [{ ...OLDER, views: { "2026-01-01": { confidence_class_id: null } } }, "certainty"],
  [{ ...OLDER, ...CHOSEN }, "confidence"],
  [{ ...OLDER, version: 2 }, "confidence"],
  [{ ...OLDER, overlay_style: "contour" }, "contour"],
])("PreferenceStore: of %j the style is %s", (stored, style) => {
  const storage = memoryStorage({ "fewclick:preferences": JSON.stringify(stored) });
  const store = new PreferenceStore(storage);
  expect(store.value).toMatchObject({ overlay_style: style, hint_dismissed: true });
  store.change({ theme: "dark" });
  expect(new PreferenceStore(storage).value).toMatchObject({ overlay_style: style, theme: "dark" });
});

test("PreferenceStore: who chooses the confidence now has it the next time", () => {
  const storage = memoryStorage({});
  new PreferenceStore(storage).change({ overlay_style: "confidence" });
  expect(new PreferenceStore(storage).value).toEqual({ ...DEFAULT_PREFERENCES, overlay_style: "confidence" });
});

test("imported: the style of an older page's file is read as that page's entries are", () => {
  expect(imported('{"fewclick_preferences": 1, "overlay_style": "confidence"}')).toEqual({ overlay_style: "certainty", keys: {} });
  expect(imported(exported({ ...DEFAULT_PREFERENCES, overlay_style: "confidence" }))).toMatchObject({ overlay_style: "confidence" });
});
