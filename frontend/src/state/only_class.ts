/** While one class alone has labels, everything is predicted as it: that is no result yet. */

import type { ClassMap, ShownPrediction } from "./prediction";
import type { ClassCount, LabelClass } from "./types";

/** Steps of an 8-bit probability that rounding can make of one value. */
const ROUNDING = 2;
const flat_maps = new WeakMap<readonly ClassMap[], boolean>();

/**
 * The class that everything is predicted as because no other one has labels; null where the head can tell classes apart.
 * Of a blank image it tells no place from another either: there the counts decide. `counted`: by the server, a moment ago.
 */
export function onlyClass(classes: readonly LabelClass[], shown: ShownPrediction | null, counted: readonly ClassCount[] = []): LabelClass | null {
  if (shown === null || classes.length < 2 || !isFlat(shown.maps)) return null;
  if (counted.filter(({ points, regions }) => points + regions > 0).length > 1) return null;
  const [first, ...others] = shown.maps.map(({ class_id, map }) => ({ class_id, value: map.values[0] ?? 0 }));
  if (first === undefined) return null;
  const best = others.reduce((top, next) => (next.value > top.value ? next : top), first);
  const is_other = classes.length === 2 && best.value < 128;
  return classes.find(({ id }) => (id === best.class_id) !== is_other) ?? null;
}

export function onlyClassText({ name }: LabelClass): string {
  return `Only ${name} has labels so far`;
}

/** What to mark next, in words. */
export function anotherClass(classes: readonly LabelClass[], only: LabelClass): string {
  const [other, ...more] = classes.filter(({ id }) => id !== only.id);
  return other !== undefined && more.length === 0 ? other.name : "another class";
}

/** Whether the head tells no place from another. It is asked for each frame of an overlay, and by all that stands beside it. */
function isFlat(maps: readonly ClassMap[]): boolean {
  const known = flat_maps.get(maps);
  if (known !== undefined) return known;
  const found = maps.length > 0 && maps.every(({ map: { values } }) => values.every((value) => Math.abs(value - (values[0] ?? 0)) <= ROUNDING));
  flat_maps.set(maps, found);
  return found;
}
