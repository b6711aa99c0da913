/** Finding a class among many by a few letters. */
import { nameProblem } from "./classes";
import { above } from "./class_tree";
import type { LabelClass } from "./types";

export interface FoundClass {
  readonly label_class: LabelClass;
  /** Names of the classes above, from the top: "animal › bird"; empty at the top. */
  readonly path: string;
  /** Chosen lately. */
  readonly is_recent: boolean;
}

const MOST_RECENT = 8;

/** The class was chosen just now. */
export function asRecent(recent: readonly number[], class_id: number): readonly number[] {
  return [class_id, ...recent.filter((id) => id !== class_id)].slice(0, MOST_RECENT);
}

/** Those that fit best first; without words those chosen lately, then all in their order. */
export function searchClasses(classes: readonly LabelClass[], words: string, recent: readonly number[]): FoundClass[] {
  const names = new Map(classes.map(({ id, name }) => [id, name]));
  const wanted = words.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const ranked = classes.flatMap((label_class, order) => {
    const parents = above(classes, label_class.id).map((id) => names.get(id) ?? "").reverse();
    const rank = rankOf(label_class.name, parents, wanted);
    const age = recent.indexOf(label_class.id);
    return rank === null ? [] : [{ label_class, path: parents.join(" › "), is_recent: age >= 0, rank, age: age < 0 ? MOST_RECENT : age, order }];
  });
  ranked.sort((a, b) => a.rank - b.rank || a.age - b.age || a.order - b.order);
  return ranked.map(({ label_class, path, is_recent }) => ({ label_class, path, is_recent }));
}

/** The class that these words would add: none where one is called so already, however it is written. */
export function newClassName(classes: readonly LabelClass[], words: string): string | null {
  const name = words.trim();
  return nameProblem(name, classes.map((label_class) => label_class.name)) === null ? name : null;
}

/** How well all the words fit, 0 is best; null where one of them is nowhere in the name or in those above. */
function rankOf(name: string, parents: readonly string[], wanted: readonly string[]): number | null {
  let rank = 0;
  for (const word of wanted) {
    const here = fit(name, word);
    const over = parents.some((parent) => fit(parent, word) !== null) ? 3 : null;
    const best = here ?? over;
    if (best === null) return null;
    rank = Math.max(rank, best);
  }
  return rank;
}

/** 0: the name begins so; 1: one of its words does; 2: somewhere inside. */
function fit(name: string, word: string): number | null {
  const text = name.toLowerCase();
  if (text.startsWith(word)) return 0;
  if (text.split(/[\s_\-/.]+/).some((part) => part.startsWith(word))) return 1;
  return text.includes(word) ? 2 : null;
}
