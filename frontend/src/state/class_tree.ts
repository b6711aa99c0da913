/** Classes as a tree, in the order of the list: a class stands right before those below it. */
import type { LabelClass } from "./types";

export interface ClassRow {
  readonly label_class: LabelClass;
  /** Place in the list of all classes: the digit that chooses it, less one. */
  readonly index: number;
  /** 0 at the top. */
  readonly depth: number;
  /** Place among those with the same parent, from 0, and how many they are. */
  readonly place: number;
  readonly siblings: number;
}

/** Where a class is to go: below `parent_id` (null: at the top), before one of those there or last. */
export interface ClassPlace {
  readonly parent_id: number | null;
  readonly before: number | null;
}

export type DropPart = "before" | "inside" | "after";

function parentOf({ parent_id }: LabelClass): number | null {
  return parent_id ?? null;
}

export function classRows(classes: readonly LabelClass[]): ClassRow[] {
  return classes.map((label_class, index) => {
    const siblings = childrenOf(classes, parentOf(label_class));
    return {
      label_class,
      index,
      depth: above(classes, label_class.id).length,
      place: siblings.findIndex(({ id }) => id === label_class.id),
      siblings: siblings.length,
    };
  });
}

/** Rows whose name holds the words, with those above them. */
export function searchRows(rows: readonly ClassRow[], words: string): readonly ClassRow[] {
  const wanted = words.trim().toLowerCase();
  if (wanted === "") return rows;
  const classes = rows.map(({ label_class }) => label_class);
  const shown = new Set(
    classes.filter(({ name }) => name.toLowerCase().includes(wanted)).flatMap(({ id }) => [id, ...above(classes, id)]),
  );
  return rows.filter(({ label_class }) => shown.has(label_class.id));
}

export function childrenOf(classes: readonly LabelClass[], parent_id: number | null): LabelClass[] {
  return classes.filter((label_class) => parentOf(label_class) === parent_id);
}

/** The classes that one implies, nearest first. */
export function above(classes: readonly LabelClass[], class_id: number): number[] {
  const parents = new Map(classes.map((label_class) => [label_class.id, parentOf(label_class)]));
  const line: number[] = [];
  let parent = parents.get(class_id) ?? null;
  while (parent !== null && !line.includes(parent)) {
    line.push(parent);
    parent = parents.get(parent) ?? null;
  }
  return line;
}

/** 0 at the top. */
export function depthOf(classes: readonly LabelClass[], class_id: number): number {
  return above(classes, class_id).length;
}

/** The class and all that imply it. */
export function below(classes: readonly LabelClass[], class_id: number): number[] {
  return classes.filter(({ id }) => id === class_id || above(classes, id).includes(class_id)).map(({ id }) => id);
}

/** One place up or down among those with the same parent; null at the end. */
export function shifted(classes: readonly LabelClass[], class_id: number, step: -1 | 1): ClassPlace | null {
  const label_class = classes.find(({ id }) => id === class_id);
  if (!label_class) return null;
  const parent_id = parentOf(label_class);
  const siblings = childrenOf(classes, parent_id).map(({ id }) => id);
  const place = siblings.indexOf(class_id) + step;
  if (place < 0 || place >= siblings.length) return null;
  return { parent_id, before: siblings[step < 0 ? place : place + 1] ?? null };
}

/** Below the class before it; null where there is none. */
export function indented(classes: readonly LabelClass[], class_id: number): ClassPlace | null {
  const label_class = classes.find(({ id }) => id === class_id);
  if (!label_class) return null;
  const siblings = childrenOf(classes, parentOf(label_class)).map(({ id }) => id);
  const before = siblings[siblings.indexOf(class_id) - 1];
  return before === undefined ? null : { parent_id: before, before: null };
}

/** Beside its parent, right behind it; null at the top. */
export function outdented(classes: readonly LabelClass[], class_id: number): ClassPlace | null {
  const [parent_id, over] = above(classes, class_id);
  if (parent_id === undefined) return null;
  const siblings = childrenOf(classes, over ?? null).map(({ id }) => id);
  return { parent_id: over ?? null, before: siblings[siblings.indexOf(parent_id) + 1] ?? null };
}

/** Where a class goes that is dropped on another one; null where it cannot go, or would stay where it is. */
export function dropped(classes: readonly LabelClass[], class_id: number, on_id: number, part: DropPart): ClassPlace | null {
  const on = classes.find(({ id }) => id === on_id);
  if (!on || below(classes, class_id).includes(on_id)) return null;
  const own = childrenOf(classes, on_id).filter(({ id }) => id !== class_id);
  // Behind a class that has others below it, the place that the line shows is the first of those.
  if (part === "inside" || (part === "after" && own.length > 0)) {
    const first = part === "after" ? own[0]?.id : undefined;
    return moved(classes, class_id, { parent_id: on_id, before: first ?? null });
  }
  const siblings = childrenOf(classes, parentOf(on)).filter(({ id }) => id !== class_id).map(({ id }) => id);
  const place = siblings.indexOf(on_id) + (part === "after" ? 1 : 0);
  return moved(classes, class_id, { parent_id: parentOf(on), before: siblings[place] ?? null });
}

/** `to`, unless the class is there already. */
function moved(classes: readonly LabelClass[], class_id: number, to: ClassPlace): ClassPlace | null {
  const label_class = classes.find(({ id }) => id === class_id);
  if (!label_class) return null;
  const siblings = childrenOf(classes, parentOf(label_class)).map(({ id }) => id);
  const next = siblings[siblings.indexOf(class_id) + 1] ?? null;
  return parentOf(label_class) === to.parent_id && next === to.before ? null : to;
}
