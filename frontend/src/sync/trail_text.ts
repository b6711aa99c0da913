/** Steps that wait, and the states that undo leads to, as text that outlives the page. */
import { isDraft, isPoint, isRecord, isRegion } from "./draft_checks";
import type { Trail, Travel } from "../state/trail";
import type { Annotation, Draft } from "../state/types";

export interface StoredStep {
  readonly draft: Draft;
  readonly travel?: Travel | undefined;
}

export interface StoredTrail {
  readonly steps: readonly StoredStep[];
  readonly trail: Trail;
}

/** Longer ones are not kept: then what was said last is, as one step. */
const LONGEST_TEXT = 500_000;

/** null if it is too long to be kept. Geometry stands there once, and not at all where the server's state has it. */
export function trailText({ steps, trail }: StoredTrail): string | null {
  const known = new Set(trail.states[trail.at]?.regions?.map(({ shape_id }) => shape_id) ?? []);
  const shapes: unknown[] = [];
  const places = new Map<unknown, number>();
  const text = JSON.stringify({ steps, trail }, function (this: unknown, key, value: unknown) {
    if (key !== "geometry" || !isRecord(value) || !isRecord(this)) return value;
    if (typeof this.shape_id === "number" && known.has(this.shape_id)) return undefined;
    const place = places.get(value) ?? shapes.push(value) - 1;
    places.set(value, place);
    return place;
  });
  const whole = `${text.slice(0, -1)},"shapes":${JSON.stringify(shapes)}}`;
  return whole.length > LONGEST_TEXT ? null : whole;
}

/** null if it cannot be understood. */
export function trailFrom(value: unknown): StoredTrail | null {
  if (!isRecord(value) || !Array.isArray(value.shapes)) return null;
  const { steps, trail } = withShapes(value, value.shapes) as Record<string, unknown>;
  if (!Array.isArray(steps) || !steps.every(isStep) || !isRecord(trail) || !Array.isArray(trail.states)) return null;
  const { states, at } = trail;
  const is_sound = states.every(isState) && Number.isInteger(at) && states[at as number] !== undefined;
  return is_sound && steps.length > 0 ? { steps, trail: { states, at: at as number } } : null;
}

function withShapes(value: unknown, shapes: readonly unknown[]): unknown {
  if (Array.isArray(value)) return value.map((item) => withShapes(item, shapes));
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    return [key, key === "geometry" && typeof item === "number" ? shapes[item] : withShapes(item, shapes)];
  });
  return Object.fromEntries(entries);
}

function isStep(value: unknown): value is StoredStep {
  return isRecord(value) && isDraft(value.draft) && [undefined, "undo", "redo"].includes(value.travel as string | undefined);
}

function isState(value: unknown): value is Annotation {
  if (!isRecord(value)) return false;
  const { revision, points, regions, label, labels, can_undo, can_redo, skipped } = value;
  const is_list = (list: unknown): boolean => Array.isArray(list) && list.every(isLabel);
  return (
    Number.isInteger(revision) && Array.isArray(points) && points.every(isPoint) &&
    (regions === undefined || (Array.isArray(regions) && regions.every(isRegion))) &&
    (label === null || isLabel(label)) && (labels === null || is_list(labels)) &&
    [can_undo, can_redo, skipped].every((flag) => typeof flag === "boolean")
  ); // prettier-ignore
}

function isLabel(value: unknown): boolean {
  return isRecord(value) && Number.isInteger(value.class_id) && typeof value.origin === "string";
}
