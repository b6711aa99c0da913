/** What requests say of an annotation. */
import type { Region } from "../state/regions";
import type { Draft } from "../state/types";
import type { components } from "./schema";

type RegionIn = NonNullable<components["schemas"]["AnnotationPut"]["regions"]>[number];

/** What is taken back altogether; no point at all is a state of its own, and so is none of the classes. */
export function saysNothing(draft: Draft): boolean {
  return (draft.kind === "label" && draft.class_id === null) || (draft.kind === "classes" && draft.class_ids === null);
}

export function draftBody(draft: Exclude<Draft, { kind: "aside" }>, regions_stay: boolean) {
  if (draft.kind === "label") return draft.class_id === null ? {} : { class_id: draft.class_id };
  if (draft.kind === "classes") return draft.class_ids === null ? {} : { class_ids: [...draft.class_ids] };
  const points = draft.points.map(({ id, x, y, class_id }) => (id === null ? { x, y, class_id } : { id, x, y, class_id }));
  return draft.regions === undefined || regions_stay ? { points } : { points, regions: draft.regions.map(regionBody) };
}

/** A geometry that the server has need not be sent again. */
function regionBody({ id, shape_id, kind, class_id, geometry }: Region): RegionIn {
  const item = { kind, class_id, ...(id > 0 ? { id } : {}), ...(shape_id === null ? { geometry } : {}) };
  return item as RegionIn;
}

/** The revision that a change starts from; without one it is made to whatever stands. */
export function from(revision: number | null): { revision?: number } {
  return revision === null ? {} : { revision };
}
