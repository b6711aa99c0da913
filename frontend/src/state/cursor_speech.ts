/** What is said of the keyboard's cursor, and of what was done with it. */
import type { AnnotationChange } from "./annotations";
import type { Vec2 } from "./geometry";
import { NO_REGIONS, type Region } from "./regions";
import { isEmpty, TOOL_NAMES, type Correction, type Selection, type ToolName } from "./tools";
import type { Annotation, LabelClass } from "./types";
import { counted, markedText } from "./words";

/** What is at the cursor. */
export interface AtCursor {
  /** Pixels of the image. */
  readonly at: Vec2;
  readonly predicted: { readonly class_id: number; readonly p: number } | null;
  /** Class of the point within reach. */
  readonly point_class_id: number | null;
}

/** After a press that changed no annotation. */
export interface Pressed {
  readonly tool: ToolName;
  readonly at: Vec2;
  /** The tool waits for the second press. */
  readonly is_held: boolean;
  readonly selection: Selection;
  /** Of the polygon that is not closed. */
  readonly corners: number;
  readonly correction: Correction;
  readonly predicted_class_id: number | null;
}

const KINDS: Readonly<Record<Region["kind"], string>> = { stroke: "Stroke", polygon: "Polygon", box: "Box", mask: "Region" };
const BEGUN: Readonly<Partial<Record<ToolName, string>>> = {
  brush: "Stroke begun at {at}. Enter ends it.",
  eraser: "Erasing from {at}. Enter ends it.",
  box: "First corner at {at}. Enter sets the second one.",
};
const CORRECTING: Readonly<Record<Correction, string>> = { accept: "Accepting", erase: "Erasing", fill: "Filling" };

/** Column and row, as an image editor counts them. */
export function placeText([x, y]: Vec2): string {
  return `${Math.floor(x)}, ${Math.floor(y)}`;
}

/** "120, 84: nuclei 92 %, point of nuclei" */
export function whereText({ at, predicted, point_class_id }: AtCursor, classes: readonly LabelClass[]): string {
  const parts = [
    ...(predicted === null ? [] : [`predicted ${nameOf(classes, predicted.class_id)} ${Math.round(predicted.p * 100)} %`]),
    ...(point_class_id === null ? [] : [`point of ${nameOf(classes, point_class_id)}`]),
  ];
  return parts.length === 0 ? placeText(at) : `${placeText(at)}: ${parts.join(", ")}`;
}

export function toolText(tool: ToolName, class_id: number | null, classes: readonly LabelClass[]): string {
  return class_id === null ? TOOL_NAMES[tool] : `${TOOL_NAMES[tool]}, class ${nameOf(classes, class_id)}`;
}

/** What became of the points and regions; empty where nothing did. */
export function changeText({ before, created, deleted }: AnnotationChange, now: Annotation, classes: readonly LabelClass[]): string {
  return [pointsText(created, deleted, classes), regionsText(before.regions ?? NO_REGIONS, now.regions ?? NO_REGIONS, classes)].filter((part) => part !== "").join(" ");
}

export function pressText({ tool, at, is_held, selection, corners, correction, predicted_class_id }: Pressed, classes: readonly LabelClass[]): string {
  if (tool === "hand") return "The hand sets nothing. Choose a tool.";
  if (tool === "polygon") return corners === 0 ? "" : `Corner ${corners} at ${placeText(at)}.${corners > 2 ? " Enter again, at the same place, closes it." : ""}`;
  if (tool === "select") return selectText(at, is_held, selection);
  if (tool === "correct") return predicted_class_id === null ? "" : `${CORRECTING[correction]} the region of ${nameOf(classes, predicted_class_id)} at ${placeText(at)}.`;
  if (is_held) return (BEGUN[tool] ?? "").replace("{at}", placeText(at));
  return tool === "box" ? "No box: its corners are at one place." : "";
}

function selectText(at: Vec2, is_held: boolean, selection: Selection): string {
  const marked = { points: selection.points.length, regions: selection.regions.length };
  if (isEmpty(selection)) return is_held ? `A frame begins at ${placeText(at)}. Enter selects what is in it.` : "Nothing selected.";
  return `${markedText(marked)} selected. ${is_held ? "Arrow keys move it, Enter lets go." : "Del removes it."}`;
}

function pointsText(created: AnnotationChange["created"], deleted: AnnotationChange["deleted"], classes: readonly LabelClass[]): string {
  const [added, gone] = [created[0], deleted[0]];
  if (created.length === 1 && deleted.length === 0 && added) return `Point of class ${nameOf(classes, added.class_id)} set at ${placeText([added.x, added.y])}.`;
  if (deleted.length === 1 && created.length === 0 && gone) return `Point of class ${nameOf(classes, gone.class_id)} removed at ${placeText([gone.x, gone.y])}.`;
  if (created.length > 0 && deleted.length > 0) return `${counted(created.length, "point")} changed.`;
  if (created.length > 0) return `${counted(created.length, "point")} set.`;
  return deleted.length > 0 ? `${counted(deleted.length, "point")} removed.` : "";
}

function regionsText(before: readonly Region[], now: readonly Region[], classes: readonly LabelClass[]): string {
  if (before === now) return "";
  const added = now.length - before.length;
  const newest = now.at(-1);
  if (added === 1 && newest) return newest.class_id === null ? "Erased." : `${KINDS[newest.kind]} of class ${nameOf(classes, newest.class_id)} added.`;
  if (added !== 0) return `${counted(Math.abs(added), "region")} ${added > 0 ? "added" : "removed"}.`;
  const changed = now.filter((region, i) => isChanged(before[i], region)).length;
  return changed === 0 ? "" : `${counted(changed, "region")} changed.`;
}

/** Geometry that the server left out is no other one. */
function isChanged(before: Region | undefined, now: Region): boolean {
  const was = before?.geometry ?? null;
  return (was !== null && was !== now.geometry) || before?.class_id !== now.class_id;
}

function nameOf(classes: readonly LabelClass[], class_id: number): string {
  return classes.find(({ id }) => id === class_id)?.name ?? "unknown";
}
