/** Steps that wait, and the states that undo leads to, as text that outlives the page. */
import { isDraft, isPoint, isRecord, isRegion } from "./draft_checks";
import type { Region } from "../state/regions";
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

/**
 * null if it is too long to be kept: no more of it is made then. Geometry stands there once, and not at all where the server
 * has it and no step leads away from it: it is on screen then when the image opens.
 */
export function trailText({ steps, trail }: StoredTrail): string | null {
  const known = shapesInAll(trail, steps);
  const shapes: string[] = [];
  const places = new Map<unknown, number>();
  let left = LONGEST_TEXT;
  const textOf = (item: unknown): string => {
    const text = JSON.stringify(item, function (this: unknown, key, value: unknown) {
      if (key !== "geometry" || !isRecord(value) || !isRecord(this)) return value;
      if (typeof this.shape_id === "number" && known.has(this.shape_id)) return undefined;
      const place = places.get(value) ?? shapes.push(JSON.stringify(value)) - 1;
      if (!places.has(value)) left -= shapes[place]?.length ?? 0;
      places.set(value, place);
      return place;
    });
    left -= text.length + 1;
    return text;
  };
  const parts: string[][] = [[], []];
  for (const [i, items] of [steps, trail.states].entries()) {
    for (const item of items) {
      parts[i]?.push(textOf(item));
      if (left < 0) return null;
    }
  }
  const [step_texts, state_texts] = parts.map((texts) => `[${texts.join()}]`);
  return `{"steps":${step_texts},"trail":{"states":${state_texts},"at":${trail.at}},"shapes":[${shapes.join()}]}`;
}

/** Shapes of the server's state that all other states have as well. */
function shapesInAll({ states, at }: Trail, steps: readonly StoredStep[]): ReadonlySet<number> {
  const drafts = steps.map(({ draft }) => (draft.kind === "points" ? draft : {}));
  const lists: (readonly Region[])[] = [...states, ...drafts].map(({ regions = [] }: { regions?: readonly Region[] }) => regions);
  let shared = shapeIds(states[at]?.regions ?? []);
  for (const regions of lists) {
    if (shared.size === 0) break;
    const there = shapeIds(regions);
    shared = new Set([...shared].filter((id) => there.has(id)));
  }
  return shared;
}

function shapeIds(regions: readonly Region[]): Set<number> {
  return new Set(regions.flatMap(({ shape_id }) => (shape_id === null ? [] : [shape_id])));
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
