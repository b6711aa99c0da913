/** Drafts made on a state that has been replaced meanwhile, brought over to the new one. */
import { rebaseClasses } from "./class_sets";
import type { Annotation, Draft, Point } from "./types";

export function draftOf(annotation: Annotation, kind: Draft["kind"]): Draft {
  const { points, label } = annotation;
  if (kind === "classes") return { kind, class_ids: heldClasses(annotation) };
  return kind === "points" ? { kind, points } : { kind, class_id: label?.class_id ?? null };
}

/** The classes of an image that may have several; null while nobody has answered. */
export function heldClasses({ labels }: Annotation): readonly number[] | null {
  return labels?.map(({ class_id }) => class_id) ?? null;
}

/** What was done between `base` and `mine`, done to `theirs` instead. */
export function rebase(mine: Draft, base: Draft, theirs: Draft): Draft {
  if (mine.kind === "label") {
    const unchanged = base.kind === "label" && base.class_id === mine.class_id;
    return unchanged ? theirs : mine;
  }
  if (mine.kind === "classes") {
    if (base.kind !== "classes" || theirs.kind !== "classes") return mine;
    return { kind: "classes", class_ids: rebaseClasses(mine.class_ids, base.class_ids, theirs.class_ids) };
  }
  if (base.kind !== "points" || theirs.kind !== "points") return mine;
  const [before, now, there] = [keys(base.points), keys(mine.points), keys(theirs.points)];
  const kept = theirs.points.filter((point) => now.has(placeKey(point)) || !before.has(placeKey(point)));
  const added = mine.points.filter((point) => !before.has(placeKey(point)) && !there.has(placeKey(point)));
  return { kind: "points", points: [...kept, ...added] };
}

/** The same places with the ids of the points that the server has there: so they keep their origin. */
export function withIds(draft: Draft, saved: Annotation): Draft {
  return draft.kind !== "points" ? draft : { kind: "points", points: adoptIds(draft.points, saved.points) };
}

export function adoptIds(here: readonly Point[], saved: readonly Point[]): Point[] {
  const by_place = new Map(saved.map((point) => [placeKey(point), point]));
  return here.map((point) => by_place.get(placeKey(point)) ?? point);
}

/**
 * `mine` in place of `current`. Points that the server knows keep its id. Those that the head had proposed and that are
 * gone stay gone: sent again they would count as set by hand.
 */
export function replacing(mine: Draft, current: Annotation): Draft {
  if (mine.kind !== "points") return mine;
  const there = keys(current.points);
  const known = mine.points.filter((point) => point.origin === "human" || there.has(placeKey(point)));
  const points = known.map((point) => (there.has(placeKey(point)) ? point : { ...point, id: null }));
  return withIds({ kind: "points", points }, current);
}

/** Two points are the same to a person if they have the same place and class. */
export function placeKey(point: Point): string {
  return `${point.x},${point.y},${point.class_id}`;
}

function keys(points: readonly Point[]): ReadonlySet<string> {
  return new Set(points.map(placeKey));
}
