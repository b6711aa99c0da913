/** Lines and handles that stand out from any picture. Stage CSS pixels. */
import type { Vec2 } from "../../state/geometry";

const HANDLE_PX = 4;

/** White on dark, so that it is seen on both. */
export function twoToned(context: CanvasRenderingContext2D, draw: () => void, width = 1.5, dash: readonly number[] = []): void {
  context.lineJoin = context.lineCap = "round";
  context.setLineDash([]);
  context.lineWidth = width + 2;
  context.strokeStyle = "rgb(0 0 0 / 0.6)";
  draw();
  context.setLineDash([...dash]);
  context.lineWidth = width;
  context.strokeStyle = "#ffffff";
  draw();
  context.setLineDash([]);
}

export function line(context: CanvasRenderingContext2D, points: readonly Vec2[], is_closed: boolean): void {
  context.beginPath();
  points.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  if (is_closed) context.closePath();
  context.stroke();
}

export function ring(context: CanvasRenderingContext2D, [x, y]: Vec2, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

export function handle(context: CanvasRenderingContext2D, [x, y]: Vec2, color: string, is_round: boolean, is_active = false): void {
  const reach = HANDLE_PX + (is_active ? 1.5 : 0);
  context.beginPath();
  if (is_round) context.arc(x, y, reach, 0, 2 * Math.PI);
  else context.rect(x - reach, y - reach, 2 * reach, 2 * reach);
  context.fillStyle = is_active ? color : "#ffffff";
  context.fill();
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 0.5)";
  context.stroke();
  context.lineWidth = 1.75;
  context.strokeStyle = is_active ? "#ffffff" : color;
  context.stroke();
}
