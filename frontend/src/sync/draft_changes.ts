/** What has changed of a draft since it was kept as a whole: a click on thousands of points is a few bytes. */
import type { Region } from "../state/regions";
import type { Draft, Point } from "../state/types";
import { isDraft, isRecord } from "./draft_checks";

/** In a list, at `from`, so many items were taken out and these put in. */
interface Splice<T> {
  readonly from: number;
  readonly removed: number;
  readonly inserted: readonly T[];
}

export type DraftChange =
  | { readonly draft: Draft }
  /** Without regions: those are as before. */
  | { readonly points: Splice<Point>; readonly regions?: Splice<Region> };

export function changeOf(before: Draft, after: Draft): DraftChange {
  if (before.kind !== "points" || after.kind !== "points") return { draft: after };
  const points = splice(before.points, after.points);
  if (before.regions === after.regions) return { points };
  return before.regions && after.regions ? { points, regions: splice(before.regions, after.regions) } : { draft: after };
}

/** `before` null: it is not known. null if that is no change of it. */
export function changed(before: Draft | null, change: unknown): Draft | null {
  if (!isRecord(change)) return null;
  const { draft, points, regions } = change;
  if (draft !== undefined) return isDraft(draft) ? draft : null;
  if (before?.kind !== "points") return null;
  const found = { kind: "points", points: spliced(before.points, points) };
  const after = regions === undefined ? { ...before, ...found } : { ...found, regions: spliced(before.regions, regions) };
  return isDraft(after) ? after : null;
}

/** Items that stay are the same objects: to find them takes microseconds. */
function splice<T>(before: readonly T[], after: readonly T[]): Splice<T> {
  const most = Math.min(before.length, after.length);
  let from = 0;
  while (from < most && before[from] === after[from]) from += 1;
  let behind = 0;
  while (behind < most - from && before.at(-1 - behind) === after.at(-1 - behind)) behind += 1;
  return { from, removed: before.length - from - behind, inserted: after.slice(from, after.length - behind) };
}

/** null if it cannot be understood. */
function spliced(before: readonly unknown[] | undefined, splice: unknown): readonly unknown[] | null {
  if (before === undefined || !isRecord(splice) || !Array.isArray(splice.inserted)) return null;
  const { from, removed, inserted } = splice;
  const is_there = Number.isInteger(from) && Number.isInteger(removed) && Number(from) + Number(removed) <= before.length;
  return is_there ? before.toSpliced(Number(from), Number(removed), ...(inserted as unknown[])) : null;
}
