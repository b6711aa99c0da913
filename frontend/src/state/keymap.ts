/** Keys to commands. One table: it drives the page and the help dialog alike. */

import type { Task } from "./types";

export type Command =
  | "next"
  | "previous"
  | "next-in-order"
  | "previous-in-order"
  | "skip"
  | "undo"
  | "redo"
  | "save"
  | "accept"
  | "accept-next"
  | "remove"
  | "none"
  | "undetermined"
  | "classes"
  | "class-palette"
  | "extract"
  | "comment"
  | "strategy"
  | "point-mode"
  | "tool-select"
  | "tool-brush"
  | "tool-eraser"
  | "tool-polygon"
  | "tool-box"
  | "tool-correct"
  | "select-all"
  | "keyboard-cursor"
  | "accept-region"
  | "hide-overlay"
  | "opacity-down"
  | "opacity-up"
  | "overlay-style"
  | "view-panel"
  | "fit"
  | "actual-size"
  | "zoom-in"
  | "zoom-out"
  | "jump"
  | "gallery"
  | "theme"
  | "help"
  | "quality"
  | "checkpoints"
  | "progress"
  | "escape";

export interface KeyStroke {
  /** KeyboardEvent.key */
  readonly key: string;
  /** KeyboardEvent.code */
  readonly code: string;
  readonly ctrl: boolean;
  readonly shift: boolean;
  readonly alt: boolean;
}

export interface KeyTarget {
  /** Lower-case tag name of the focused element. */
  readonly tag: string;
  readonly editable: boolean;
}

export type KeyAction =
  | { readonly kind: "command"; readonly command: Command }
  /** Zero-based place in the list of classes. */
  | { readonly kind: "class"; readonly index: number };

export interface Binding {
  readonly command: Command;
  /** As "Ctrl+Shift+Z": modifiers, then a letter, a KeyboardEvent.key or, after "@", a KeyboardEvent.code. */
  readonly keys: readonly string[];
  readonly group: "Labelling" | "Tools" | "Keyboard on the image" | "Moving between images" | "View" | "Session";
  readonly text: string;
  /** Only in sessions of this task. */
  readonly task?: Task;
}

export const BINDINGS: readonly Binding[] = [
  { command: "undo", keys: ["Ctrl+z"], group: "Labelling", text: "Undo" },
  { command: "redo", keys: ["Ctrl+Shift+z", "Ctrl+y"], group: "Labelling", text: "Redo" },
  { command: "remove", keys: ["Delete", "Backspace"], group: "Labelling", text: "Remove the nearest point, or the label" },
  { command: "accept", keys: ["Enter"], group: "Labelling", text: "Accept the prediction" },
  { command: "accept-next", keys: ["Ctrl+Enter"], group: "Labelling", text: "Accept the prediction and go on" },
  { command: "none", keys: ["0", "n"], group: "Labelling", text: "None of the classes", task: "multilabel" },
  { command: "undetermined", keys: ["u"], group: "Labelling", text: "Undetermined: a person looked and nobody can tell. An answer: counts as seen, nothing learns from it; labels on it are taken off" },
  { command: "class-palette", keys: ["."], group: "Labelling", text: "Class by name: type a few letters" },
  { command: "comment", keys: ["Shift+c"], group: "Labelling", text: "Comment on this image" },
  { command: "extract", keys: ["e"], group: "Labelling", text: "Extract points from the prediction", task: "segmentation" },
  { command: "accept-region", keys: ["Shift+Enter"], group: "Labelling", text: "Accept the predicted region under the pointer", task: "segmentation" },
  { command: "point-mode", keys: ["p"], group: "Tools", text: "Points; again: the hand, which moves the image", task: "segmentation" },
  { command: "tool-select", keys: ["m"], group: "Tools", text: "Select: move, change and remove points and regions", task: "segmentation" },
  { command: "tool-brush", keys: ["b"], group: "Tools", text: "Brush; [ and ] or Alt+wheel change its size", task: "segmentation" },
  { command: "tool-eraser", keys: ["r"], group: "Tools", text: "Eraser: removes what was painted", task: "segmentation" },
  { command: "tool-polygon", keys: ["o"], group: "Tools", text: "Polygon", task: "segmentation" },
  { command: "tool-box", keys: ["w"], group: "Tools", text: "Box", task: "segmentation" },
  { command: "tool-correct", keys: ["y"], group: "Tools", text: "Predicted region: accept, erase, fill; again: the next of these", task: "segmentation" },
  { command: "select-all", keys: ["Ctrl+a"], group: "Tools", text: "Select all points and regions", task: "segmentation" },
  { command: "keyboard-cursor", keys: ["z"], group: "Keyboard on the image", text: "Cursor that the keyboard moves; again, or Esc: leave it" },
  { command: "next", keys: ["f", "ArrowRight"], group: "Moving between images", text: "Next image" },
  { command: "previous", keys: ["d", "ArrowLeft"], group: "Moving between images", text: "Previous image" },
  { command: "next-in-order", keys: ["Shift+ArrowRight"], group: "Moving between images", text: "The image after this one in the list, labelled or not" },
  { command: "previous-in-order", keys: ["Shift+ArrowLeft"], group: "Moving between images", text: "The image before this one in the list, labelled or not" },
  { command: "skip", keys: ["k", "x"], group: "Moving between images", text: "Skip this image: not now, or not wanted; no answer, it can be labelled later. Labels on it are taken off; undo brings them back" },
  { command: "strategy", keys: ["Shift+n"], group: "Moving between images", text: "Choose where Next goes: to the list of choices" },
  { command: "jump", keys: ["/", "j"], group: "Moving between images", text: "Jump to an image by id or name" },
  { command: "gallery", keys: ["g"], group: "Moving between images", text: "Gallery" },
  { command: "fit", keys: ["Shift+@Digit1"], group: "View", text: "Fit the image" },
  { command: "actual-size", keys: ["Shift+@Digit2"], group: "View", text: "100 %" },
  { command: "zoom-in", keys: ["+", "="], group: "View", text: "Zoom in" },
  { command: "zoom-out", keys: ["-"], group: "View", text: "Zoom out" },
  { command: "hide-overlay", keys: ["h"], group: "View", text: "Hide overlay and points (hold, or tap to switch)" },
  { command: "view-panel", keys: ["a"], group: "View", text: "Picture: brightness, contrast, bands" },
  { command: "opacity-down", keys: ["["], group: "View", text: "Overlay more transparent; with a brush: smaller", task: "segmentation" },
  { command: "opacity-up", keys: ["]"], group: "View", text: "Overlay more opaque; with a brush: larger", task: "segmentation" },
  { command: "overlay-style", keys: ["v"], group: "View", text: "Next overlay style", task: "segmentation" },
  { command: "save", keys: ["s", "Ctrl+s"], group: "Session", text: "Save: start a full training run" },
  { command: "classes", keys: ["l"], group: "Session", text: "Classes: add, change, sort, remove" },
  { command: "quality", keys: ["q"], group: "Session", text: "Quality: figures, calibration, learning curve" },
  { command: "checkpoints", keys: ["c"], group: "Session", text: "Checkpoints: saved heads, roll back" },
  { command: "progress", keys: ["i"], group: "Session", text: "Progress: pace, time to finish, training, features" },
  { command: "theme", keys: ["t"], group: "Session", text: "Light or dark" },
  { command: "help", keys: ["?"], group: "Session", text: "All keys" },
  { command: "escape", keys: ["Escape"], group: "Session", text: "Close what is open" },
];

const TYPING_TAGS = new Set(["input", "select", "textarea"]);
/** Enter and Space belong to these when they have the focus. */
const PRESSABLE_TAGS = new Set(["button", "a", "summary"]);

/** What a key stroke means, or null. Never anything while the person types in a field. */
export function actionFor(stroke: KeyStroke, target: KeyTarget, bindings: readonly Binding[] = BINDINGS): KeyAction | null {
  if (target.editable || TYPING_TAGS.has(target.tag)) return null;
  if (PRESSABLE_TAGS.has(target.tag) && !stroke.ctrl && (stroke.key === "Enter" || stroke.key === " ")) return null;
  const bound = bindings.find((binding) => binding.keys.some((key) => fits(key, stroke)));
  if (bound) return { kind: "command", command: bound.command };
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(stroke.code)?.[1];
  if (digit !== undefined && !stroke.ctrl && !stroke.alt && !stroke.shift) return { kind: "class", index: Number(digit) - 1 };
  return null;
}

/** Two bindings that answer to one key within one task; empty in a sound table. */
export function conflicts(bindings: readonly Binding[]): string[] {
  const found: string[] = [];
  bindings.forEach((a, i) => {
    for (const b of bindings.slice(i + 1)) {
      if (a.task !== undefined && b.task !== undefined && a.task !== b.task) continue;
      for (const key of a.keys) if (b.keys.includes(key)) found.push(`${key}: ${a.command}, ${b.command}`);
    }
  });
  return found;
}

/** For people: "Ctrl+Shift+@Digit1" becomes ["Ctrl", "Shift", "1"]. */
export function keyCaps(key: string): string[] {
  const names: Record<string, string> = { ArrowRight: "→", ArrowLeft: "←", Delete: "Del", Escape: "Esc" };
  return splitKey(key).map((part) => {
    const plain = part.replace(/^@(?:Digit|Key)/, "");
    return names[plain] ?? (plain.length === 1 ? plain.toUpperCase() : plain);
  });
}

/** "Ctrl+Shift+z" becomes "Ctrl+Shift+Z". */
export function keyName(key: string): string {
  return keyCaps(key).join("+");
}

function splitKey(key: string): string[] {
  return key === "+" ? ["+"] : key.split("+");
}

function fits(key: string, stroke: KeyStroke): boolean {
  const parts = splitKey(key);
  const wanted = parts.at(-1) ?? "";
  if (stroke.alt || stroke.ctrl !== parts.includes("Ctrl")) return false;
  if (wanted.startsWith("@")) return stroke.code === wanted.slice(1) && stroke.shift === parts.includes("Shift");
  // Signs such as ? and + need Shift on some keyboards and not on others: the sign itself decides.
  const isSign = wanted.length === 1 && wanted.toLowerCase() === wanted.toUpperCase();
  if (!isSign && stroke.shift !== parts.includes("Shift")) return false;
  return stroke.key === wanted || (wanted.length === 1 && stroke.key.toLowerCase() === wanted);
}
