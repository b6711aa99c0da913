import { nearestPoint } from "../state/annotations";
import type { Point } from "../state/types";
import { paintHoveredPoint } from "./points_painter";
import type { PaintSurface, StageTool, ToolPointer } from "./tools";

/** How near a point must be to be removed by a right click, CSS pixels. */
export const PICK_RADIUS_PX = 12;

export interface PointToolHandlers {
  points(): readonly Point[];
  add(x: number, y: number): void;
  /** `radius`: how near counts as there, image pixels. */
  removeOrAddOther(x: number, y: number, radius: number): void;
  /** Another point is hovered: the tool wants to be painted. */
  changed(): void;
}

/** Left: a point of the chosen class. Right: removes the one within reach, or adds one of the other class. */
export class PointTool implements StageTool {
  cursor = "crosshair";
  readonly draws = false;
  #hovered: Point | null = null;

  constructor(private readonly handlers: PointToolHandlers) {}

  down(pointer: ToolPointer): boolean {
    const { inside: [x, y], button, pixel } = pointer; // prettier-ignore
    if (button === "primary") this.handlers.add(x, y);
    else this.handlers.removeOrAddOther(x, y, PICK_RADIUS_PX * pixel);
    return false;
  }

  hover(pointer: ToolPointer | null): void {
    const hovered = pointer ? nearestPoint(this.handlers.points(), pointer.x, pointer.y, PICK_RADIUS_PX * pointer.pixel) : null;
    if (hovered === this.#hovered) return;
    this.#hovered = hovered;
    this.handlers.changed();
  }

  get isEmpty(): boolean {
    return this.#hovered === null || !this.handlers.points().includes(this.#hovered);
  }

  paint({ context, toStage }: PaintSurface): void {
    if (this.#hovered && !this.isEmpty) paintHoveredPoint(context, toStage([this.#hovered.x, this.#hovered.y]));
  }
}
