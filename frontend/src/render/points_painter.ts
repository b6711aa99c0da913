import { imageToStage, type Size, type Viewport } from "../state/viewport";
import type { Point } from "../state/types";

export const POINT_RADIUS_PX = 5.5;
const EXTRACTED_RADIUS_PX = 3;

/** Draw the points that are in sight: a dot with a white ring where a person set it, a small hollow ring where it was extracted. */
export function paintPoints(
  context: CanvasRenderingContext2D,
  stage: Size,
  view: Viewport,
  points: readonly Point[],
  colorOf: (class_id: number) => string,
  hovered: Point | null,
): void {
  context.clearRect(0, 0, stage.width, stage.height);
  const groups = new Map<string, Point[]>();
  for (const point of points) {
    const [x, y] = imageToStage(view, [point.x, point.y]);
    if (x < -12 || y < -12 || x > stage.width + 12 || y > stage.height + 12) continue;
    const name = `${point.class_id}:${point.origin === "extracted" || point.origin === "accepted" ? "extracted" : "set"}`;
    const group = groups.get(name);
    if (group) group.push(point);
    else groups.set(name, [point]);
  }
  // One path a class: thousands of points cost a handful of draw calls. Extracted ones lie under those of people.
  const extracted_first = [...groups].sort(([a], [b]) => Number(b.endsWith("extracted")) - Number(a.endsWith("extracted")));
  for (const [name, group] of extracted_first) {
    const color = colorOf(group[0]?.class_id ?? 0);
    if (name.endsWith("extracted")) paintHollow(context, view, group, color);
    else paintSolid(context, view, group, color);
  }
  if (hovered) paintHover(context, view, hovered);
}

function paintSolid(context: CanvasRenderingContext2D, view: Viewport, points: readonly Point[], color: string): void {
  fillCircles(context, view, points, POINT_RADIUS_PX + 2.75, "rgb(0 0 0 / 0.45)");
  fillCircles(context, view, points, POINT_RADIUS_PX + 1.75, "#ffffff");
  fillCircles(context, view, points, POINT_RADIUS_PX, color);
}

function paintHollow(context: CanvasRenderingContext2D, view: Viewport, points: readonly Point[], color: string): void {
  strokeCircles(context, view, points, EXTRACTED_RADIUS_PX, "rgb(0 0 0 / 0.55)", 3.5);
  strokeCircles(context, view, points, EXTRACTED_RADIUS_PX, color, 1.75);
}

function paintHover(context: CanvasRenderingContext2D, view: Viewport, point: Point): void {
  strokeCircles(context, view, [point], POINT_RADIUS_PX + 5, "rgb(0 0 0 / 0.5)", 3.5);
  strokeCircles(context, view, [point], POINT_RADIUS_PX + 5, "#ffffff", 1.5);
}

function fillCircles(
  context: CanvasRenderingContext2D,
  view: Viewport,
  points: readonly Point[],
  radius: number,
  color: string,
): void {
  context.beginPath();
  trace(context, view, points, radius);
  context.fillStyle = color;
  context.fill();
}

function strokeCircles(
  context: CanvasRenderingContext2D,
  view: Viewport,
  points: readonly Point[],
  radius: number,
  color: string,
  width: number,
): void {
  context.beginPath();
  trace(context, view, points, radius);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}

function trace(context: CanvasRenderingContext2D, view: Viewport, points: readonly Point[], radius: number): void {
  for (const point of points) {
    const [x, y] = imageToStage(view, [point.x, point.y]);
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }
}
