/** Several classes of one image, with groups of which one holds at most. */
import type { ClassProbability, LabelClass } from "./types";

/** Classes that are shown together: those of a group, or those in none. */
export interface ClassBlock {
  /** null: any number of them holds. */
  readonly group: string | null;
  /** With their place in the list of all classes, which is the digit that chooses them. */
  readonly classes: readonly { readonly label_class: LabelClass; readonly index: number }[];
}

/** A prediction says of a class that it holds where this is less than its probability. */
export const HOLDS_ABOVE = 0.5;

/**
 * The classes after one more click on a class: it goes, or it comes and the others of its group go. Without any left
 * the image is unanswered again (null): that none holds is said on purpose only.
 */
export function toggled(classes: readonly LabelClass[], held: readonly number[] | null, class_id: number): number[] | null {
  if (held?.includes(class_id)) {
    const left = held.filter((id) => id !== class_id);
    return left.length > 0 ? left : null;
  }
  const rivals = rivalsOf(classes, class_id);
  return inOrder(classes, [...(held ?? []).filter((id) => !rivals.has(id)), class_id]);
}

/** What the prediction would answer: every class that more likely holds than not, of a group the most likely alone. */
export function suggested(classes: readonly LabelClass[], probabilities: readonly ClassProbability[]): number[] {
  const chosen: number[] = [];
  for (const { class_id, p } of [...probabilities].sort((a, b) => b.p - a.p)) {
    if (p <= HOLDS_ABOVE || !classes.some(({ id }) => id === class_id)) continue;
    const rivals = rivalsOf(classes, class_id);
    if (!chosen.some((id) => rivals.has(id))) chosen.push(class_id);
  }
  return inOrder(classes, chosen);
}

/** Each group as a block where its first class stands, and the classes in no group in blocks between them. */
export function blocks(classes: readonly LabelClass[]): ClassBlock[] {
  const found: { group: string | null; classes: { label_class: LabelClass; index: number }[] }[] = [];
  classes.forEach((label_class, index) => {
    const { group } = label_class;
    const last = found.at(-1);
    const block = group === null ? (last?.group === null ? last : undefined) : found.find((other) => other.group === group);
    if (block) block.classes.push({ label_class, index });
    else found.push({ group, classes: [{ label_class, index }] });
  });
  return found;
}

/** What was done between `base` and `mine`, done to `theirs`; null is unanswered. */
export function rebaseClasses(
  mine: readonly number[] | null,
  base: readonly number[] | null,
  theirs: readonly number[] | null,
): readonly number[] | null {
  if (sameClasses(mine, base)) return theirs;
  if (mine === null || mine.length === 0 || base === null || theirs === null) return mine;
  const kept = theirs.filter((id) => mine.includes(id) || !base.includes(id));
  const added = mine.filter((id) => !base.includes(id) && !theirs.includes(id));
  return [...kept, ...added];
}

export function sameClasses(a: readonly number[] | null, b: readonly number[] | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((id) => b.includes(id));
}

function rivalsOf(classes: readonly LabelClass[], class_id: number): ReadonlySet<number> {
  const group = classes.find(({ id }) => id === class_id)?.group ?? null;
  return new Set(group === null ? [] : classes.filter((other) => other.group === group && other.id !== class_id).map(({ id }) => id));
}

function inOrder(classes: readonly LabelClass[], class_ids: readonly number[]): number[] {
  return classes.filter(({ id }) => class_ids.includes(id)).map(({ id }) => id);
}
