/** Several classes of one image, with groups of which one holds at most. */
import { above, below } from "./class_tree";
import type { ClassProbability, LabelClass } from "./types";

/** Classes that are shown together: those of a group, or those in none. */
export interface ClassBlock {
  /** null: any number of them holds. */
  readonly group: string | null;
  /** With their place in the list of all classes, which is the digit that chooses them. */
  readonly classes: readonly { readonly label_class: LabelClass; readonly index: number }[];
}

/** A prediction says of a class that it holds where this is less than its probability. */
const HOLDS_ABOVE = 0.5;

/**
 * The classes after one more click on a class: it goes with all below it, or it comes with all above it and what these
 * exclude goes. Without any left the image is unanswered again (null): that none holds is said on purpose only.
 */
export function toggled(classes: readonly LabelClass[], held: readonly number[] | null, class_id: number): number[] | null {
  if (held?.includes(class_id)) {
    const gone = below(classes, class_id);
    const left = held.filter((id) => !gone.includes(id));
    return left.length > 0 ? left : null;
  }
  const coming = [class_id, ...above(classes, class_id)];
  const rivals = rivalsOf(classes, coming);
  return inOrder(classes, [...(held ?? []).filter((id) => !rivals.has(id)), ...coming]);
}

/** What the prediction would answer: every class that more likely holds than not, of a group the most likely alone. */
export function suggested(classes: readonly LabelClass[], probabilities: readonly ClassProbability[]): number[] {
  const chosen: number[] = [];
  for (const { class_id, p } of [...probabilities].sort((a, b) => b.p - a.p)) {
    if (p <= HOLDS_ABOVE || !classes.some(({ id }) => id === class_id)) continue;
    const implied = [class_id, ...above(classes, class_id)];
    const rivals = rivalsOf(classes, implied);
    if (!chosen.some((id) => rivals.has(id))) chosen.push(...implied);
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

/** What cannot hold beside these: others of their groups, and all below such a class. */
function rivalsOf(classes: readonly LabelClass[], class_ids: readonly number[]): ReadonlySet<number> {
  const groups = new Set(classes.filter(({ id, group }) => class_ids.includes(id) && group !== null).map(({ group }) => group));
  const others = classes.filter(({ id, group }) => groups.has(group) && !class_ids.includes(id));
  return new Set(others.flatMap(({ id }) => below(classes, id)));
}

function inOrder(classes: readonly LabelClass[], class_ids: readonly number[]): number[] {
  return classes.filter(({ id }) => class_ids.includes(id)).map(({ id }) => id);
}
