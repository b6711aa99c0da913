/** What was kept by an earlier visit, perhaps of another version, is looked at before it is used. */
import type { Draft } from "../state/types";

export function isDraft(value: unknown): value is Draft {
  if (!isRecord(value)) return false;
  if (value.kind === "label") return value.class_id === null || Number.isInteger(value.class_id);
  if (value.kind === "aside") return value.as === "skipped" || value.as === "undetermined";
  if (value.kind === "classes") {
    return value.class_ids === null || (Array.isArray(value.class_ids) && value.class_ids.every(Number.isInteger));
  }
  if (value.kind !== "points" || !Array.isArray(value.points) || !value.points.every(isPoint)) return false;
  return value.regions === undefined || (Array.isArray(value.regions) && value.regions.every(isRegion));
}

export function isRegion(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { id, shape_id, kind, class_id, geometry } = value;
  const is_known = Number.isInteger(shape_id) || (shape_id === null && isRecord(geometry));
  const is_kind = typeof kind === "string" && ["stroke", "polygon", "box", "mask"].includes(kind);
  return is_known && is_kind && Number.isInteger(id) && (class_id === null || Number.isInteger(class_id));
}

export function isPoint(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { id, x, y, class_id, origin } = value;
  const is_id = id === null || Number.isInteger(id);
  return is_id && Number.isFinite(x) && Number.isFinite(y) && Number.isInteger(class_id) && typeof origin === "string";
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
