/** Keys of the class editor. */
import { indented, outdented, shifted, type ClassPlace } from "./class_tree";
import type { LabelClass } from "./types";

/** What opens below the row of a class. */
export type PanelKind = "color" | "merge" | "remove";

export type ClassKeyAction =
  | { readonly kind: "go"; readonly class_id: number }
  | { readonly kind: "move"; readonly place: ClassPlace }
  | { readonly kind: "rename" }
  | { readonly kind: "add-below" }
  | { readonly kind: "panel"; readonly panel: PanelKind };

/** As a KeyboardEvent has it. */
interface Key {
  readonly key: string;
  readonly altKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
}

const PANELS: Readonly<Record<string, PanelKind>> = { c: "color", m: "merge", Delete: "remove", Backspace: "remove" };

/** What a key means on the row of a class; null where it means nothing. `shown`: ids of the rows, from top to bottom. */
export function classKey(
  { key, altKey, ctrlKey, metaKey }: Key,
  classes: readonly LabelClass[],
  shown: readonly number[],
  class_id: number,
): ClassKeyAction | null {
  if (ctrlKey || metaKey) return null;
  if (altKey) {
    const place = placeFor(key, classes, class_id);
    return place === null ? null : { kind: "move", place };
  }
  const at = shown.indexOf(class_id);
  const to = { ArrowDown: shown[at + 1], ArrowUp: shown[at - 1], Home: shown[0], End: shown.at(-1) }[key];
  if (to !== undefined) return { kind: "go", class_id: to };
  if (key === "Enter" || key === "F2") return { kind: "rename" };
  if (key === "Insert" || key === "+") return { kind: "add-below" };
  const panel = PANELS[key.length === 1 ? key.toLowerCase() : key];
  return panel === undefined ? null : { kind: "panel", panel };
}

function placeFor(key: string, classes: readonly LabelClass[], class_id: number): ClassPlace | null {
  switch (key) {
    case "ArrowUp":
      return shifted(classes, class_id, -1);
    case "ArrowDown":
      return shifted(classes, class_id, 1);
    case "ArrowRight":
      return indented(classes, class_id);
    case "ArrowLeft":
      return outdented(classes, class_id);
    default:
      return null;
  }
}
