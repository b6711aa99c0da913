/** Drafts made on a state that has been replaced meanwhile, brought over to the new one. */
import { rebaseClasses } from "./class_sets";
import { adoptRegionIds, NO_REGIONS, rebaseRegions, replacingRegions, type Region } from "./regions";
import type { Annotation, Draft, Point, Task } from "./types";

/** What is said of an image, by task. */
export const DRAFT_KINDS: Readonly<Record<Task, Draft["kind"]>> = {
  segmentation: "points",
  classification: "label",
  multilabel: "classes",
};

export function draftOf(annotation: Annotation, kind: Draft["kind"]): Draft {
  const { points, label, regions = NO_REGIONS } = annotation;
  if (kind === "aside") return asideOf(annotation) ?? { kind: "points", points };
  if (kind === "classes") return { kind, class_ids: heldClasses(annotation) };
  return kind === "points" ? { kind, points, regions } : { kind, class_id: label?.class_id ?? null };
}

/** null unless the image was set aside. */
export function asideOf({ skipped, undetermined }: Annotation): Draft | null {
  if (skipped) return { kind: "aside", as: "skipped" };
  return undetermined === true ? { kind: "aside", as: "undetermined" } : null;
}

/** The classes of an image that may have several; null while nobody has answered. */
export function heldClasses({ labels }: Annotation): readonly number[] | null {
  return labels?.map(({ class_id }) => class_id) ?? null;
}

/** What was done between `base` and `mine`, done to `theirs` instead. */
export function rebase(mine: Draft, base: Draft, theirs: Draft): Draft {
  if (mine.kind === "aside") return mine;
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
  const points = { kind: "points" as const, points: [...kept, ...added] };
  const known = mine.regions && base.regions && theirs.regions;
  return known ? { ...points, regions: rebaseRegions(mine.regions, base.regions, theirs.regions) } : points;
}

/** The same places with the ids of the points that the server has there: so they keep their origin. So do regions. */
export function withIds(draft: Draft, saved: Annotation, sent: Draft | null = null): Draft {
  if (draft.kind !== "points") return draft;
  const points = { kind: "points" as const, points: adoptIds(draft.points, saved.points) };
  if (draft.regions === undefined) return points;
  return { ...points, regions: sent === null ? draft.regions : regionsWithIds(draft.regions, sent, saved) };
}

/** The regions with the ids that the server gave in answer to `sent`. */
export function regionsWithIds(here: readonly Region[], sent: Draft, saved: Annotation): readonly Region[] {
  if (sent.kind !== "points" || sent.regions === undefined || saved.regions === undefined) return here;
  return here === sent.regions ? saved.regions : adoptRegionIds(here, sent.regions, saved.regions);
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
  const kept = adoptIds(points, current.points);
  if (mine.regions === undefined) return { kind: "points", points: kept };
  return { kind: "points", points: kept, regions: replacingRegions(mine.regions, current.regions ?? NO_REGIONS) };
}

/** The draft without what is of such classes; null where nothing of it is, or nothing would be left to say. */
export function withoutClasses(draft: Draft, isGone: (class_id: number) => boolean): Draft | null {
  if (draft.kind === "classes") {
    const class_ids = draft.class_ids?.filter((class_id) => !isGone(class_id)) ?? [];
    // No class left would say that none holds.
    return class_ids.length === 0 || class_ids.length === draft.class_ids?.length ? null : { kind: "classes", class_ids };
  }
  if (draft.kind !== "points") return null;
  const points = draft.points.filter(({ class_id }) => !isGone(class_id));
  const regions = draft.regions?.filter(({ class_id }) => class_id === null || !isGone(class_id));
  if (points.length === draft.points.length && regions?.length === draft.regions?.length) return null;
  return regions === undefined ? { kind: "points", points } : { kind: "points", points, regions };
}

/** Two points are the same to a person if they have the same place and class. */
export function placeKey(point: Point): string {
  return `${point.x},${point.y},${point.class_id}`;
}

function keys(points: readonly Point[]): ReadonlySet<string> {
  return new Set(points.map(placeKey));
}
