import { describe, expect, test } from "vitest";

import { actionFor, BINDINGS, conflicts, keyCaps, type KeyStroke } from "../../src/state/keymap";

const PAGE = { tag: "body", editable: false };

function stroke(key: string, more: Partial<KeyStroke> = {}): KeyStroke {
  return { key, code: "", ctrl: false, shift: false, alt: false, ...more };
}

describe("actionFor", () => {
  test.each([
    [stroke("z", { ctrl: true }), "undo"],
    [stroke("Z", { ctrl: true, shift: true }), "redo"],
    [stroke("F"), "next"],
    [stroke("ArrowLeft"), "previous"],
    [stroke("?", { shift: true }), "help"],
    [stroke("+", { shift: true }), "zoom-in"],
    [stroke("/"), "jump"],
    [stroke("/", { shift: true }), "jump"],
    [stroke("!", { code: "Digit1", shift: true }), "fit"],
    [stroke('"', { code: "Digit2", shift: true }), "actual-size"],
    [stroke("Enter", { ctrl: true }), "accept-next"],
    [stroke("["), "opacity-down"],
  ] as const)("%o is %s", (keys, command) => {
    expect(actionFor(keys, PAGE)).toEqual({ kind: "command", command });
  });

  test("digits choose a class, on the number pad too", () => {
    expect(actionFor(stroke("3", { code: "Digit3" }), PAGE)).toEqual({ kind: "class", index: 2 });
    expect(actionFor(stroke("9", { code: "Numpad9" }), PAGE)).toEqual({ kind: "class", index: 8 });
  });

  test.each(["input", "select", "textarea"])("nothing while typing in %s", (tag) => {
    for (const key of ["f", "1", "Delete", "s", "?"]) {
      expect(actionFor(stroke(key, { code: "Digit1" }), { tag, editable: false })).toBeNull();
    }
  });

  test("nothing in editable text", () => {
    expect(actionFor(stroke("s"), { tag: "div", editable: true })).toBeNull();
  });

  test("Enter on a button presses the button", () => {
    expect(actionFor(stroke("Enter"), { tag: "button", editable: false })).toBeNull();
    expect(actionFor(stroke("f"), { tag: "button", editable: false })).not.toBeNull();
  });

  test("combinations of the browser stay the browser's", () => {
    expect(actionFor(stroke("f", { ctrl: true }), PAGE)).toBeNull();
    expect(actionFor(stroke("d", { alt: true }), PAGE)).toBeNull();
    expect(actionFor(stroke("1", { code: "Digit1", ctrl: true }), PAGE)).toBeNull();
  });
});

test("BINDINGS: no key means two things, none is the digit of a class", () => {
  expect(conflicts(BINDINGS)).toEqual([]);
  expect(BINDINGS.flatMap(({ keys }) => keys).filter((key) => /^[1-9]$/.test(key))).toEqual([]);
});

test("conflicts: named", () => {
  const [first] = BINDINGS;
  if (!first) throw new Error("there are bindings");
  expect(conflicts([first, { ...first, command: "help" }])).toEqual(["Ctrl+z: undo, help"]);
});

test("keyCaps: as printed on the keys", () => {
  expect(keyCaps("Ctrl+Shift+z")).toEqual(["Ctrl", "Shift", "Z"]);
  expect(keyCaps("Shift+@Digit1")).toEqual(["Shift", "1"]);
  expect(keyCaps("+")).toEqual(["+"]);
});
