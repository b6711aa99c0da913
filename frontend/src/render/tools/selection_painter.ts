import type { Vec2 } from "../../state/geometry";
import type { Corner } from "../../state/polygons";
import { shapeOf, type Geometry, type Region, type Shape } from "../../state/regions";
import { BOX_HANDLES, boundsOf, handlePlace } from "../../state/shapes";
import type { Point } from "../../state/types";
import type { PaintSurface } from "../tools";
import { handle, line, ring, twoToned } from "./marks";
import { fillShape, pathOf } from "./region_paths";

export interface SelectionMarks {
  readonly points: readonly Point[];
  readonly regions: readonly Region[];
  /** How far they are on their way, pixels of the image. */
  readonly by: Vec2;
  readonly reshaped: { readonly region: Region; readonly geometry: Geometry | null } | null;
  readonly corner: { readonly region_id: number; readonly at: Corner } | null;
  readonly colorOf: (class_id: number | null) => string;
}

/** CSS pixels. */
const POINT_RING_PX = 10;
const BOX_GAP_PX = 3;
const DASH: readonly number[] = [5, 4];

export function paintSelection(surface: PaintSurface, marks: SelectionMarks): void {
  const { reshaped, by } = marks;
  const is_moving = by[0] !== 0 || by[1] !== 0;
  const has_grips = marks.regions.length === 1 && marks.points.length === 0;
  for (const region of marks.regions) {
    const changed = reshaped?.region.id === region.id && reshaped.geometry ? { ...region, geometry: reshaped.geometry } : region;
    const shape = shapeOf(changed);
    if (shape === null) continue;
    if (is_moving || changed !== region) paintGhost(surface, shape, by, marks.colorOf(region.class_id));
    paintOutline(surface, shape, by);
    if (has_grips && !is_moving) paintGrips(surface, shape, marks.colorOf(region.class_id), marks.corner?.region_id === region.id ? marks.corner.at : null);
  }
  for (const { x, y } of marks.points) {
    const at = surface.toStage([x + by[0], y + by[1]]);
    twoToned(surface.context, () => ring(surface.context, at, POINT_RING_PX), 1.75);
  }
}

export function paintMarquee({ context, toStage }: PaintSurface, from: Vec2, to: Vec2): void {
  const [[ax, ay], [bx, by]] = [toStage(from), toStage(to)];
  context.fillStyle = "rgb(255 255 255 / 0.12)";
  context.fillRect(ax, ay, bx - ax, by - ay);
  twoToned(context, () => line(context, [[ax, ay], [bx, ay], [bx, by], [ax, by]], true), 1, DASH);
}

/** Where it will be. */
function paintGhost({ context, inImage }: PaintSurface, shape: Shape, [dx, dy]: Vec2, color: string): void {
  context.globalAlpha = 0.4;
  inImage((pen) => {
    pen.translate(dx, dy);
    fillShape(pen, shape, color);
  });
  context.globalAlpha = 1;
}

function paintOutline({ context, view, toStage }: PaintSurface, shape: Shape, [dx, dy]: Vec2): void {
  if (shape.kind === "polygon" || shape.kind === "box") {
    twoToned(context, () => {
      context.save();
      context.translate(view.x + dx * view.scale, view.y + dy * view.scale);
      context.scale(view.scale, view.scale);
      context.lineWidth /= view.scale;
      context.setLineDash(context.getLineDash().map((length) => length / view.scale));
      context.stroke(pathOf(shape));
      context.restore();
    }, 1.5, DASH); // prettier-ignore
    return;
  }
  const { left, top, right, bottom } = boundsOf(shape);
  const [[ax, ay], [bx, by]] = [toStage([left + dx, top + dy]), toStage([right + dx, bottom + dy])];
  const [l, t, r, b] = [ax - BOX_GAP_PX, ay - BOX_GAP_PX, bx + BOX_GAP_PX, by + BOX_GAP_PX];
  twoToned(context, () => line(context, [[l, t], [r, t], [r, b], [l, b]], true), 1.5, DASH);
}

function paintGrips({ context, toStage }: PaintSurface, shape: Shape, color: string, active: Corner | null): void {
  if (shape.kind === "box") for (const grip of BOX_HANDLES) handle(context, toStage(handlePlace(shape.geometry, grip)), color, false);
  if (shape.kind !== "polygon") return;
  shape.geometry.rings.forEach((corners, ring_index) => {
    corners.forEach((at, index) => handle(context, toStage(at), color, true, active?.ring === ring_index && active.index === index));
  });
}
