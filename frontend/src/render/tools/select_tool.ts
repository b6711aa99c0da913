import { nearestPoint } from "../../state/annotations";
import type { Vec2 } from "../../state/geometry";
import { cornerAt, sideAt, withCornerAt, withNewCorner, withoutCorner, type Corner } from "../../state/polygons";
import { shapeOf, type Geometry, type Region, type Shape } from "../../state/regions";
import { BOX_HANDLES, handlePlace, keptInside, regionAt, regionsWithin, resized, type BoxHandle } from "../../state/shapes";
import { isEmpty, NOTHING_SELECTED, type Selection } from "../../state/tools";
import type { Point } from "../../state/types";
import type { Size } from "../../state/viewport";
import type { PaintSurface, ToolPointer } from "../tools";
import type { KeyTool, ToolKey } from "./key_tool";
import { paintMarquee, paintSelection, type SelectionMarks } from "./selection_painter";

export interface SelectHandlers {
  points(): readonly Point[];
  /** Those that are shown. */
  regions(): readonly Region[];
  image(): Size | null;
  selection(): Selection;
  select(selection: Selection): void;
  colorOf(class_id: number | null): string;
  move(by: Vec2): void;
  reshape(region: Region, geometry: Geometry): void;
  remove(): void;
  /** What would be left has too few corners. */
  tooFewCorners(): void;
  changed(): void;
}

/** CSS pixels. */
const POINT_REACH_PX = 11;
const HANDLE_REACH_PX = 9;
const REGION_REACH_PX = 4;
const SLIP_PX = 3;
const LONG_STEP_PX = 10;
/** Steps of the arrow keys in quick succession are one move. */
const NUDGE_MS = 400;

const ARROWS: Readonly<Record<string, Vec2>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

type Drag =
  | { readonly kind: "move"; readonly from: Vec2; by: Vec2 }
  | { readonly kind: "marquee"; readonly from: Vec2; to: Vec2 }
  | { readonly kind: "reshape"; readonly region: Region; readonly change: (to: Vec2) => Geometry | null; geometry: Geometry | null };

/** Click and drag: selects, moves, changes corners. Everything that one drag does is one action. */
export class SelectTool implements KeyTool {
  readonly cursor = "default";
  readonly draws = true;
  #drag: Drag | null = null;
  #corner: { readonly region_id: number; readonly at: Corner } | null = null;
  #nudged: Vec2 = [0, 0];
  #nudge_timer: ReturnType<typeof setTimeout> | null = null;
  #pixel = 1;

  constructor(private readonly handlers: SelectHandlers) {}

  down(pointer: ToolPointer): boolean {
    this.settle();
    if (pointer.button !== "primary") return false;
    this.#pixel = pointer.pixel;
    this.#drag = this.#handleDrag(pointer) ?? this.#pickDrag(pointer);
    this.handlers.changed();
    return true;
  }

  drag(pointers: readonly ToolPointer[]): void {
    const [drag, pointer] = [this.#drag, pointers.at(-1)];
    if (drag === null || pointer === undefined) return;
    if (drag.kind === "marquee") drag.to = [pointer.x, pointer.y];
    else if (drag.kind === "move") drag.by = this.#inImage([pointer.x - drag.from[0], pointer.y - drag.from[1]]);
    else drag.geometry = drag.change(pointer.inside) ?? drag.geometry;
    this.handlers.changed();
  }

  up(pointer: ToolPointer): void {
    this.drag([pointer]);
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.kind === "marquee") this.#selectWithin(drag.from, drag.to);
    else if (drag?.kind === "move" && Math.hypot(...drag.by) >= SLIP_PX * pointer.pixel) this.handlers.move(drag.by);
    else if (drag?.kind === "reshape" && drag.geometry) this.handlers.reshape(drag.region, drag.geometry);
    this.handlers.changed();
  }

  cancel(): void {
    this.#drag = null;
    this.handlers.changed();
  }

  hover(pointer: ToolPointer | null): void {
    if (pointer) this.#pixel = pointer.pixel;
  }

  key({ key, shift, ctrl, alt }: ToolKey): boolean {
    const is_empty = isEmpty(this.handlers.selection());
    const arrow = ARROWS[key];
    if (ctrl || alt) return false;
    if (arrow && !is_empty) this.#nudge(arrow, shift ? LONG_STEP_PX : 1);
    else if (key === "Delete" || key === "Backspace") this.#remove();
    else if (key === "Escape" && !is_empty) this.handlers.select(NOTHING_SELECTED);
    else return false;
    this.handlers.changed();
    return true;
  }

  finish(): void {
    this.settle();
    this.#corner = null;
  }

  /** Steps that wait are saved. */
  settle(): void {
    if (this.#nudge_timer !== null) clearTimeout(this.#nudge_timer);
    this.#nudge_timer = null;
    const by = this.#nudged;
    this.#nudged = [0, 0];
    if (by[0] !== 0 || by[1] !== 0) this.handlers.move(by);
  }

  get isEmpty(): boolean {
    const { points, regions } = this.handlers.selection();
    return this.#drag === null && points.length === 0 && regions.length === 0;
  }

  paint(surface: PaintSurface): void {
    const drag = this.#drag;
    const marks: SelectionMarks = {
      points: this.#selectedPoints(),
      regions: this.#selectedRegions(),
      by: drag?.kind === "move" ? drag.by : this.#nudged,
      reshaped: drag?.kind === "reshape" ? drag : null,
      corner: this.#corner,
      colorOf: (class_id) => this.handlers.colorOf(class_id),
    };
    paintSelection(surface, marks);
    if (drag?.kind === "marquee") paintMarquee(surface, drag.from, drag.to);
  }

  #selectedPoints(): Point[] {
    const points = this.handlers.points();
    return this.handlers.selection().points.flatMap((i) => points[i] ?? []);
  }

  #selectedRegions(): Region[] {
    const ids = new Set(this.handlers.selection().regions);
    return this.handlers.regions().filter(({ id }) => ids.has(id));
  }

  /** The one whose corners or handles are shown. */
  #only(): { readonly region: Region; readonly shape: Shape } | null {
    const [region] = this.#selectedRegions();
    const { points, regions } = this.handlers.selection();
    const shape = region ? shapeOf(region) : null;
    return region && shape && points.length === 0 && regions.length === 1 ? { region, shape } : null;
  }

  #handleDrag({ x, y, pixel, alt }: ToolPointer): Drag | null {
    const only = this.#only();
    if (only === null) return null;
    const { region, shape } = only;
    const reach = HANDLE_REACH_PX * pixel;
    if (shape.kind === "box") {
      const grip = BOX_HANDLES.find((place) => near(handlePlace(shape.geometry, place), [x, y], reach));
      return grip ? reshapeBy(region, (to) => resized(shape.geometry, grip satisfies BoxHandle, to)) : null;
    }
    if (shape.kind !== "polygon") return null;
    const corner = cornerAt(shape.geometry, [x, y], reach);
    this.#corner = corner && { region_id: region.id, at: corner };
    if (corner && alt) {
      this.#remove();
      return { kind: "marquee", from: [x, y], to: [x, y] };
    }
    if (corner) return reshapeBy(region, (to) => withCornerAt(shape.geometry, corner, to));
    const side = sideAt(shape.geometry, [x, y], reach / 2);
    if (side === null) return null;
    this.#corner = { region_id: region.id, at: side };
    const widened = withNewCorner(shape.geometry, side, [x, y]);
    return { ...reshapeBy(region, (to) => withCornerAt(widened, side, to)), geometry: widened };
  }

  #pickDrag({ x, y, shift, pixel }: ToolPointer): Drag {
    const before = this.handlers.selection();
    const picked = this.#at([x, y], pixel);
    this.#corner = null;
    if (picked === null) {
      if (!shift) this.handlers.select(NOTHING_SELECTED);
      return { kind: "marquee", from: [x, y], to: [x, y] };
    }
    if (shift) this.handlers.select(toggled(before, picked));
    else if (!includes(before, picked)) this.handlers.select(picked);
    return { kind: "move", from: [x, y], by: [0, 0] };
  }

  #at(at: Vec2, pixel: number): Selection | null {
    const points = this.handlers.points();
    const point = nearestPoint(points, at[0], at[1], POINT_REACH_PX * pixel);
    if (point) return { points: [points.indexOf(point)], regions: [] };
    const region = regionAt(this.handlers.regions(), at, REGION_REACH_PX * pixel);
    return region ? { points: [], regions: [region.id] } : null;
  }

  /** Besides what is selected: a drag without Shift began with nothing. */
  #selectWithin(a: Vec2, b: Vec2): void {
    const keeps = this.handlers.selection();
    if (Math.max(Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])) < SLIP_PX * this.#pixel) return;
    const box = { left: Math.min(a[0], b[0]), top: Math.min(a[1], b[1]), right: Math.max(a[0], b[0]), bottom: Math.max(a[1], b[1]) };
    const inside = ({ x, y }: Point): boolean => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
    const points = this.handlers.points().flatMap((point, i) => (inside(point) ? [i] : []));
    const regions = regionsWithin(this.handlers.regions(), box).map(({ id }) => id);
    this.handlers.select({ points: [...new Set([...keeps.points, ...points])], regions: [...new Set([...keeps.regions, ...regions])] });
  }

  #nudge([dx, dy]: Vec2, step: number): void {
    this.#nudged = this.#inImage([this.#nudged[0] + dx * step, this.#nudged[1] + dy * step]);
    if (this.#nudge_timer !== null) clearTimeout(this.#nudge_timer);
    this.#nudge_timer = setTimeout(() => {
      this.settle();
      this.handlers.changed();
    }, NUDGE_MS);
  }

  /** The chosen corner, else all that is selected. */
  #remove(): void {
    this.settle();
    const [only, corner] = [this.#only(), this.#corner];
    if (only?.shape.kind !== "polygon" || corner?.region_id !== only.region.id) {
      this.handlers.remove();
      return;
    }
    this.#corner = null;
    const geometry = withoutCorner(only.shape.geometry, corner.at);
    if (geometry) this.handlers.reshape(only.region, geometry);
    else this.handlers.tooFewCorners();
  }

  #inImage(by: Vec2): Vec2 {
    const image = this.handlers.image();
    const dots = this.#selectedPoints().map(({ x, y }): Shape => ({ kind: "box", geometry: { x0: x - 1, y0: y - 1, x1: x + 1, y1: y + 1 } }));
    const shapes = this.#selectedRegions().flatMap((region) => shapeOf(region) ?? []);
    return image ? keptInside([...dots, ...shapes], by, image) : by;
  }
}

function reshapeBy(region: Region, change: (to: Vec2) => Geometry | null): Extract<Drag, { kind: "reshape" }> {
  return { kind: "reshape", region, change, geometry: null };
}

function near(a: Vec2, b: Vec2, reach: number): boolean {
  return Math.max(Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])) <= reach;
}

function includes(selection: Selection, picked: Selection): boolean {
  return picked.points.every((i) => selection.points.includes(i)) && picked.regions.every((id) => selection.regions.includes(id));
}

function toggled(selection: Selection, picked: Selection): Selection {
  const toggle = (all: readonly number[], some: readonly number[]): number[] =>
    [...all.filter((one) => !some.includes(one)), ...some.filter((one) => !all.includes(one))];
  return { points: toggle(selection.points, picked.points), regions: toggle(selection.regions, picked.regions) };
}
