/** Lines, handles and words that stand out from any picture. Stage CSS pixels. */
import type { Vec2 } from "../../state/geometry";
import type { Size } from "../../state/viewport";

const HANDLE_PX = 4;
const CHIP = { away: [16, 30], height: 24, pad: 8, swatch: 10 } as const;

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

/** Words beside the pointer, with the colour that they are about; on the stage whole, wherever the pointer is. */
export function chip(context: CanvasRenderingContext2D, [x, y]: Vec2, stage: Size, text: string, color: string | null): void {
  if (text === "") return;
  const { away, height, pad, swatch } = CHIP;
  context.font = "500 12.5px system-ui, sans-serif";
  const indent = color === null ? 0 : swatch + 6;
  const width = context.measureText(text).width + indent + 2 * pad;
  const left = Math.max(4, Math.min(x + away[0], stage.width - width - 4));
  const top = y + away[1] + height > stage.height - 4 ? y - away[1] - height / 2 : y + away[1];
  context.fillStyle = "rgb(18 20 24 / 0.92)";
  context.beginPath();
  context.roundRect(left, top, width, height, 6);
  context.fill();
  context.lineWidth = 1;
  context.strokeStyle = "rgb(255 255 255 / 0.35)";
  context.stroke();
  if (color !== null) {
    context.fillStyle = color;
    context.fillRect(left + pad, top + (height - swatch) / 2, swatch, swatch);
  }
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(text, left + pad + indent, top + height / 2 + 0.5);
}
