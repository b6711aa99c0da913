/** The tools of the stage: which there are, which one is chosen, and what it is set to. */
import { Signal } from "./signal";

export type ToolName = "hand" | "points" | "select" | "brush" | "eraser" | "polygon" | "box" | "correct";
/** What a click of the correcting tool does to the predicted region below it. */
export type Correction = "accept" | "erase" | "fill";

/** As buttons and speech call them. */
export const TOOL_NAMES: Readonly<Record<ToolName, string>> = {
  hand: "Hand", points: "Points", select: "Select", brush: "Brush", eraser: "Eraser", polygon: "Polygon", box: "Box", correct: "Predicted region",
}; // prettier-ignore

const CORRECTIONS: readonly Correction[] = ["accept", "erase", "fill"];

export function nextCorrection(correction: Correction): Correction {
  return CORRECTIONS[(CORRECTIONS.indexOf(correction) + 1) % CORRECTIONS.length] ?? correction;
}

export const SMALLEST_BRUSH_PX = 0.5;
export const LARGEST_BRUSH_PX = 512;
const BRUSH_STEP = 1.2;

/** What is selected: points by their place in the list, which follows them through changes; regions by id. */
export interface Selection {
  readonly points: readonly number[];
  readonly regions: readonly number[];
}

export const NOTHING_SELECTED: Selection = { points: [], regions: [] };

export function isEmpty({ points, regions }: Selection): boolean {
  return points.length === 0 && regions.length === 0;
}

/** The next size up (1) or down (-1): at least a whole pixel of the diameter further. */
export function nextBrushRadius(radius_px: number, direction: 1 | -1): number {
  const diameter = 2 * radius_px;
  const wanted = direction === 1 ? Math.max(diameter * BRUSH_STEP, diameter + 1) : Math.min(diameter / BRUSH_STEP, diameter - 1);
  return Math.min(Math.max(Math.round(wanted) / 2, SMALLEST_BRUSH_PX), LARGEST_BRUSH_PX);
}

export class ToolState {
  readonly tool = new Signal<ToolName>("points");
  /** Half the width of brush and eraser, pixels of the image. */
  readonly brush_radius = new Signal(8);
  readonly correction = new Signal<Correction>("accept");
  readonly selection = new Signal<Selection>(NOTHING_SELECTED);
  /** Regions that are not painted, by id; as long as the image is open. */
  readonly hidden = new Signal<ReadonlySet<number>>(new Set());

  constructor() {
    this.tool.subscribe((tool) => {
      if (tool !== "select") this.selection.set(NOTHING_SELECTED);
    });
  }

  stepBrush(direction: 1 | -1): void {
    this.brush_radius.set(nextBrushRadius(this.brush_radius.value, direction));
  }

  toggleHidden(region_id: number): void {
    const hidden = new Set(this.hidden.value);
    if (!hidden.delete(region_id)) hidden.add(region_id);
    this.hidden.set(hidden);
  }

  /** Another image: what was said of the regions of the one before is void. */
  clear(): void {
    this.selection.set(NOTHING_SELECTED);
    if (this.hidden.value.size > 0) this.hidden.set(new Set());
  }

  /** The server gave other ids. */
  rename(ids: ReadonlyMap<number, number>): void {
    if (ids.size === 0) return;
    const renamed = (id: number): number => ids.get(id) ?? id;
    const { points, regions } = this.selection.value;
    if (regions.some((id) => ids.has(id))) this.selection.set({ points, regions: regions.map(renamed) });
    if ([...this.hidden.value].some((id) => ids.has(id))) this.hidden.set(new Set([...this.hidden.value].map(renamed)));
  }
}
