/** Shapes on the image: where they are, whether a place is on them, how they are moved. Pixels of the image. */
import { clamp, type Vec2 } from "./geometry";
import { decodeRuns, runsContain } from "./mask_runs";
import type { BoxGeometry, Geometry, MaskGeometry, PolygonGeometry, Region, Shape, StrokeGeometry } from "./regions";
import { shapeOf } from "./regions";
import type { Size } from "./viewport";

export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const bounds_of = new WeakMap<Geometry, Bounds>();

export function boundsOf(shape: Shape): Bounds {
  const known = bounds_of.get(shape.geometry);
  if (known) return known;
  const made = computeBounds(shape);
  bounds_of.set(shape.geometry, made);
  return made;
}

function computeBounds(shape: Shape): Bounds {
  switch (shape.kind) {
    case "stroke":
      return grown(around(shape.geometry.points), shape.geometry.radius);
    case "polygon":
      return around(shape.geometry.rings.flat());
    case "box":
      return { left: shape.geometry.x0, top: shape.geometry.y0, right: shape.geometry.x1, bottom: shape.geometry.y1 };
    case "mask": {
      const { x, y, size } = shape.geometry;
      return { left: x, top: y, right: x + size[1], bottom: y + size[0] };
    }
  }
}

/** Whether the place is on the shape, or at most `reach` beside it. */
export function isOn(shape: Shape, [x, y]: Vec2, reach: number): boolean {
  const { left, top, right, bottom } = boundsOf(shape);
  if (x < left - reach || x > right + reach || y < top - reach || y > bottom + reach) return false;
  switch (shape.kind) {
    case "stroke":
      return distanceToLine(shape.geometry.points, [x, y]) <= shape.geometry.radius + reach;
    case "polygon":
      return isInRings(shape.geometry.rings, [x, y]) || shape.geometry.rings.some((ring) => distanceToRing(ring, [x, y]) <= reach);
    case "box":
      return true;
    case "mask":
      return runsContain(decodeRuns(shape.geometry), shape.geometry, [x, y]);
  }
}

/** The topmost one at the place; erasers only if nothing else is there. */
export function regionAt(regions: readonly Region[], at: Vec2, reach: number): Region | null {
  const hit = regions.filter((region) => {
    const shape = shapeOf(region);
    return shape !== null && isOn(shape, at, reach);
  });
  return hit.findLast(({ class_id }) => class_id !== null) ?? hit.at(-1) ?? null;
}

/** Those that lie wholly inside. */
export function regionsWithin(regions: readonly Region[], box: Bounds): Region[] {
  return regions.filter((region) => {
    const shape = shapeOf(region);
    if (shape === null) return false;
    const { left, top, right, bottom } = boundsOf(shape);
    return left >= box.left && top >= box.top && right <= box.right && bottom <= box.bottom;
  });
}

/** Coordinates as the server keeps them. */
export function rounded([x, y]: Vec2): Vec2 {
  return [Math.round(x * 100) / 100, Math.round(y * 100) / 100];
}

export function moved(shape: Shape, [dx, dy]: Vec2): Geometry {
  const by = ([x, y]: Vec2): Vec2 => rounded([x + dx, y + dy]);
  switch (shape.kind) {
    case "stroke":
      return { ...shape.geometry, points: shape.geometry.points.map(by) } satisfies StrokeGeometry;
    case "polygon":
      return { rings: shape.geometry.rings.map((ring) => ring.map(by)) } satisfies PolygonGeometry;
    case "box": {
      const [[x0, y0], [x1, y1]] = [by([shape.geometry.x0, shape.geometry.y0]), by([shape.geometry.x1, shape.geometry.y1])];
      return { x0, y0, x1, y1 } satisfies BoxGeometry;
    }
    case "mask":
      // Its pixels are those of the image.
      return { ...shape.geometry, x: shape.geometry.x + Math.round(dx), y: shape.geometry.y + Math.round(dy) } satisfies MaskGeometry;
  }
}

/** As far as (dx, dy) goes without any of the shapes leaving the image altogether. */
export function keptInside(shapes: readonly Shape[], [dx, dy]: Vec2, { width, height }: Size): Vec2 {
  let [x, y] = [dx, dy];
  for (const shape of shapes) {
    const { left, top, right, bottom } = boundsOf(shape);
    x = clamp(x, Math.min(1 - right, 0), Math.max(width - 1 - left, 0));
    y = clamp(y, Math.min(1 - bottom, 0), Math.max(height - 1 - top, 0));
  }
  return [x, y];
}

/** The box between two corners; null if it is thinner than a pixel. */
export function boxBetween(a: Vec2, b: Vec2): BoxGeometry | null {
  const [[x0, y0], [x1, y1]] = [rounded([Math.min(a[0], b[0]), Math.min(a[1], b[1])]), rounded([Math.max(a[0], b[0]), Math.max(a[1], b[1])])];
  return x1 - x0 >= 1 && y1 - y0 >= 1 ? { x0, y0, x1, y1 } : null;
}

/** Which of its eight handles: -1, 0 or 1 along each axis. */
export type BoxHandle = readonly [-1 | 0 | 1, -1 | 0 | 1];

export const BOX_HANDLES: readonly BoxHandle[] = [[-1, -1], [0, -1], [1, -1], [1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0]]; // prettier-ignore

export function handlePlace({ x0, y0, x1, y1 }: BoxGeometry, [h, v]: BoxHandle): Vec2 {
  return [[x0, (x0 + x1) / 2, x1][h + 1] ?? x0, [y0, (y0 + y1) / 2, y1][v + 1] ?? y0];
}

/** The box with that handle at `to`; dragged over the opposite side it turns inside out. */
export function resized({ x0, y0, x1, y1 }: BoxGeometry, [h, v]: BoxHandle, [x, y]: Vec2): BoxGeometry | null {
  const a: Vec2 = [h === -1 ? x : x0, v === -1 ? y : y0];
  const b: Vec2 = [h === 1 ? x : x1, v === 1 ? y : y1];
  return boxBetween(a, b);
}

/** Pixels, about: of a stroke without what it covers twice. */
export function areaOf(shape: Shape): number {
  switch (shape.kind) {
    case "stroke": {
      const { points, radius } = shape.geometry;
      return lengthOf(points) * 2 * radius + Math.PI * radius ** 2;
    }
    case "polygon":
      return Math.abs(shape.geometry.rings.reduce((sum, ring, i) => sum + (i === 0 ? 1 : -1) * Math.abs(signedArea(ring)), 0));
    case "box":
      return (shape.geometry.x1 - shape.geometry.x0) * (shape.geometry.y1 - shape.geometry.y0);
    case "mask":
      return decodeRuns(shape.geometry).reduce((sum, run, i) => sum + (i % 2 === 1 ? run : 0), 0);
  }
}

export function signedArea(ring: readonly Vec2[]): number {
  return ring.reduce((sum, [x, y], i) => {
    const [nx, ny] = ring[(i + 1) % ring.length] ?? [x, y];
    return sum + (x * ny - nx * y) / 2;
  }, 0);
}

/** Inside an odd number of rings. */
function isInRings(rings: readonly (readonly Vec2[])[], [x, y]: Vec2): boolean {
  let inside = false;
  for (const ring of rings) {
    ring.forEach(([ax, ay], i) => {
      const [bx, by] = ring[(i + 1) % ring.length] ?? [ax, ay];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    });
  }
  return inside;
}

export function distanceToSegment([x, y]: Vec2, [ax, ay]: Vec2, [bx, by]: Vec2): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : clamp(((x - ax) * dx + (y - ay) * dy) / length, 0, 1);
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

function distanceToLine(points: readonly Vec2[], at: Vec2): number {
  let best = Infinity;
  for (let i = 0; i < points.length; i += 1) {
    const a = points[i];
    if (a) best = Math.min(best, distanceToSegment(at, a, points[i + 1] ?? a));
  }
  return best;
}

function distanceToRing(ring: readonly Vec2[], at: Vec2): number {
  const first = ring[0];
  return first === undefined ? Infinity : distanceToLine([...ring, first], at);
}

function lengthOf(points: readonly Vec2[]): number {
  return points.reduce((sum, [x, y], i) => {
    const [px, py] = points[i - 1] ?? [x, y];
    return sum + Math.hypot(x - px, y - py);
  }, 0);
}

/** Of one point at least. */
export function around(points: readonly Vec2[]): Bounds {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return { left, top, right, bottom };
}

function grown({ left, top, right, bottom }: Bounds, by: number): Bounds {
  return { left: left - by, top: top - by, right: right + by, bottom: bottom + by };
}
