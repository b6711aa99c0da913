import type { Vec2 } from "../../state/geometry";
import { simplified } from "../../state/strokes";
import type { PaintSurface, ToolPointer } from "../tools";
import type { KeyTool } from "./key_tool";
import { LiveStroke } from "./live_stroke";
import { line, ring, twoToned } from "./marks";

export interface BrushHandlers {
  /** Half the width, pixels of the image. */
  radius(): number;
  /** Of what is drawn. */
  color(): string;
  /** Whether there is anything to draw on and with; the person is told if not. */
  isReady(): boolean;
  stroke(points: readonly Vec2[], radius: number): void;
  changed(): void;
}

/** Places nearer to the last one than this say nothing, CSS pixels. */
const STEP_PX = 0.75;

/** Draws a stroke: brush and eraser. With Shift a straight line from where the last one ended. */
export class BrushTool implements KeyTool {
  readonly draws = true;
  #stroke: LiveStroke | null = null;
  #hovered: ToolPointer | null = null;
  #last_end: Vec2 | null = null;

  constructor(
    private readonly pointer: () => string,
    private readonly handlers: BrushHandlers,
  ) {}

  get cursor(): string {
    return this.pointer();
  }

  down(pointer: ToolPointer): boolean {
    if (pointer.button !== "primary" || !this.handlers.isReady()) return false;
    this.#stroke = new LiveStroke(this.handlers.radius(), this.handlers.color());
    if (pointer.shift && this.#last_end) this.#stroke.points.push(this.#last_end);
    this.drag([pointer]);
    return true;
  }

  drag(pointers: readonly ToolPointer[]): void {
    const points = this.#stroke?.points;
    if (points === undefined) return;
    for (const { x, y, pixel } of pointers) {
      const last = points.at(-1);
      if (last === undefined || Math.hypot(x - last[0], y - last[1]) >= STEP_PX * pixel) points.push([x, y]);
    }
    this.#hovered = pointers.at(-1) ?? this.#hovered;
    this.handlers.changed();
  }

  up(pointer: ToolPointer): void {
    this.drag([pointer]);
    const stroke = this.#stroke;
    this.#stroke = null;
    this.#last_end = stroke?.points.at(-1) ?? null;
    if (stroke) this.handlers.stroke(simplified(stroke.points), stroke.radius);
    this.handlers.changed();
  }

  cancel(): void {
    this.#stroke = null;
    this.handlers.changed();
  }

  hover(pointer: ToolPointer | null): void {
    this.#hovered = pointer;
    this.handlers.changed();
  }

  /** Where the last line ended is on another image. */
  finish(): void {
    this.#last_end = null;
  }

  get isEmpty(): boolean {
    return this.#stroke === null && this.#hovered === null;
  }

  paint(surface: PaintSurface): void {
    const { context, view, toStage } = surface;
    this.#stroke?.paint(surface);
    if (this.#hovered === null) return;
    const at = toStage([this.#hovered.x, this.#hovered.y]);
    if (this.#hovered.shift && this.#last_end && this.#stroke === null) {
      const from = toStage(this.#last_end);
      twoToned(context, () => line(context, [from, at], false), 1, [4, 4]);
    }
    const radius = (this.#stroke?.radius ?? this.handlers.radius()) * view.scale;
    twoToned(context, () => ring(context, at, Math.max(radius, 1.5)), 1.25);
  }
}
