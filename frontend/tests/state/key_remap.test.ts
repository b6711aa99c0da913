import { describe, expect, test } from "vitest";

import { BINDINGS, conflicts, type Binding, type KeyStroke } from "../../src/state/keymap";
import { assigned, bindingsWith, clashOf, keyOf, Keys, resetOf, validChanges, type KeyChanges } from "../../src/state/key_remap";
import { PreferenceStore } from "../../src/state/preferences";
import { memoryStorage } from "../memory_storage";
import { random } from "../sync/undo_rig";

const TABLE: readonly Binding[] = [
  { command: "next", keys: ["f", "ArrowRight"], group: "Moving between images", text: "Next image" },
  { command: "skip", keys: ["k"], group: "Moving between images", text: "Skip" },
  { command: "extract", keys: ["e"], group: "Labelling", text: "Extract", task: "segmentation" },
  { command: "none", keys: ["n"], group: "Labelling", text: "None", task: "multilabel" },
  { command: "escape", keys: ["Escape"], group: "Session", text: "Close" },
];

function stroke(key: string, more: Partial<KeyStroke> = {}): KeyStroke {
  return { key, code: "", ctrl: false, shift: false, alt: false, ...more };
}

function keysIn(changes: Parameters<typeof bindingsWith>[0], command: string): readonly string[] | undefined {
  return bindingsWith(changes, TABLE).find((binding) => binding.command === command)?.keys;
}

describe("keyOf", () => {
  test.each([
    [stroke("F", { shift: true }), "Shift+f"],
    [stroke("z", { ctrl: true }), "Ctrl+z"],
    [stroke("?", { shift: true }), "?"],
    [stroke("+", { shift: true }), "+"],
    [stroke("!", { shift: true, code: "Digit1" }), "Shift+@Digit1"],
    [stroke("ArrowLeft", { shift: true }), "Shift+ArrowLeft"],
    [stroke("F2"), "F2"],
  ])("%o is %s", (keys, expected) => expect(keyOf(keys)).toBe(expected));

  test.each([stroke("Shift", { shift: true }), stroke("Dead"), stroke("a", { alt: true })])("%o is none", (keys) => {
    expect(keyOf(keys)).toBeNull();
  });
});

describe("clashOf", () => {
  test("names who would lose the key", () => {
    expect(clashOf(TABLE, "skip", "f")).toMatchObject({ kind: "taken", by: [{ command: "next" }] });
  });

  test("commands that never meet do not collide", () => expect(clashOf(TABLE, "none", "e")).toBeNull());

  test.each(["Escape", "Tab", " ", "3", "Ctrl+w"])("%s cannot be had", (key) => {
    expect(clashOf(TABLE, "skip", key)?.kind).toBe("refused");
  });
});

describe("assigned", () => {
  test("takes the key from whoever had it, who keeps the others", () => {
    const changes = assigned({}, "skip", "f", TABLE);
    expect([keysIn(changes, "skip"), keysIn(changes, "next")]).toEqual([["f"], ["ArrowRight"]]);
    expect(conflicts(bindingsWith(changes, TABLE))).toEqual([]);
  });

  test("what equals the table is no change", () => {
    expect(assigned(assigned({}, "skip", "y", TABLE), "skip", "k", TABLE)).toEqual({});
  });
});

test("resetOf: the table's keys come back, from whoever took them", () => {
  const changes = assigned({}, "skip", "f", TABLE);
  const back = resetOf(changes, "next", TABLE);
  expect([keysIn(back, "next"), keysIn(back, "skip")]).toEqual([["f", "ArrowRight"], []]);
});

test("bindingsWith: Escape stays", () => expect(keysIn({ escape: ["q"] }, "escape")).toEqual(["Escape"]));

describe("bindingsWith: a key that a person gave away", () => {
  test("stays there where a newer table gives it to a command of its own", () => {
    const bindings = bindingsWith({ gallery: ["z"] });
    expect(bindings.filter(({ keys }) => keys.includes("z")).map(({ command }) => command)).toEqual(["gallery"]);
    expect(conflicts(bindings)).toEqual([]);
    const back = resetOf({ gallery: ["z"] }, "keyboard-cursor");
    expect(bindingsWith(back).filter(({ keys }) => keys.includes("z")).map(({ command }) => command)).toEqual(["keyboard-cursor"]);
  });

  test("has one meaning, whatever is kept", () => {
    const next = random(7);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)] as T;
    const keys = [...new Set(BINDINGS.flatMap((binding) => binding.keys)), ",", "F2"];
    for (let round = 0; round < 300; round += 1) {
      const kept = Object.fromEntries(Array.from({ length: 6 }, () => [pick(BINDINGS).command, [pick(keys), pick(keys)]]));
      const changes = pick([assigned, (found: KeyChanges) => found])(validChanges(kept), pick(BINDINGS).command, pick(keys));
      expect(conflicts(bindingsWith(changes)), JSON.stringify(changes)).toEqual([]);
    }
  });
});

test("validChanges: what makes no sense is dropped", () => {
  expect(validChanges({ next: ["y"], skip: [3], nonsense: ["a"], undo: "z" })).toEqual({ next: ["y"] });
  expect(validChanges("x")).toEqual({});
});

describe("Keys", () => {
  test("tooltips, and another page of this browser, show the changed key", () => {
    const storage = memoryStorage();
    const keys = new Keys(new PreferenceStore(storage), "classification");
    let heard = 0;
    keys.bindings.subscribe(() => (heard += 1));
    keys.assign("next", "y");
    expect([keys.tip("Next", "next"), heard]).toEqual(["Next (Y)", 1]);
    const again = new Keys(new PreferenceStore(storage), "classification");
    expect(again.names("next")).toBe("Y");
    again.resetAll();
    expect(again.names("next")).toBe("F or →");
  });

  test("a command without a key has a plain name", () => {
    const keys = new Keys(new PreferenceStore(memoryStorage()), "segmentation");
    keys.assign("skip", "t");
    expect(keys.tip("Light or dark", "theme")).toBe("Light or dark");
  });

  test("tooltips name no key that is the cursor's while the keyboard has one", () => {
    const keys = new Keys(new PreferenceStore(memoryStorage()), "segmentation");
    let heard = 0;
    keys.bindings.subscribe(() => (heard += 1));
    keys.setCursor(true);
    expect([keys.tip("Accept", "accept"), keys.names("next"), keys.names("accept-next"), heard]).toEqual(["Accept", "F", "Ctrl+Enter", 1]);
    expect(keys.keysOf("accept")).toEqual(["Enter"]);
    keys.assign("accept", ",");
    expect(keys.names("accept")).toBe(",");
    keys.setCursor(false);
    expect(keys.names("next")).toBe("F or →");
  });

  test("only keys of this task", () => {
    const keys = new Keys(new PreferenceStore(memoryStorage()), "classification");
    expect(keys.here.map(({ command }) => command)).not.toContain("extract");
    expect(BINDINGS.map(({ command }) => command)).toContain("extract");
  });
});
