/** Editing the corners of polygons. Pixels of the image. */
import type { Vec2 } from "./geometry";
import type { PolygonGeometry } from "./regions";
import { distanceToSegment, rounded, signedArea } from "./shapes";
import type { Size } from "./viewport";

/** A corner, or with `insert` the place on a side where a new one comes. */
export interface Corner {
  readonly ring: number;
  readonly index: number;
}

const FEWEST_CORNERS = 3;

/** The corner within `reach`; of several the nearest. */
export function cornerAt({ rings }: PolygonGeometry, [x, y]: Vec2, reach: number): Corner | null {
  let best: Corner | null = null;
  let nearest = reach;
  rings.forEach((points, ring) => {
    points.forEach(([px, py], index) => {
      const distance = Math.hypot(px - x, py - y);
      if (distance <= nearest) [best, nearest] = [{ ring, index }, distance];
    });
  });
  return best;
}

/** Where on a side within `reach` a new corner would come: its index once it is there. */
export function sideAt({ rings }: PolygonGeometry, at: Vec2, reach: number): Corner | null {
  let best: Corner | null = null;
  let nearest = reach;
  rings.forEach((points, ring) => {
    points.forEach((a, index) => {
      const distance = distanceToSegment(at, a, points[(index + 1) % points.length] ?? a);
      if (distance <= nearest) [best, nearest] = [{ ring, index: index + 1 }, distance];
    });
  });
  return best;
}

export function withCornerAt(polygon: PolygonGeometry, corner: Corner, to: Vec2): PolygonGeometry {
  return inRing(polygon, corner.ring, (ring) => ring.with(corner.index, rounded(to)));
}

export function withNewCorner(polygon: PolygonGeometry, corner: Corner, at: Vec2): PolygonGeometry {
  return inRing(polygon, corner.ring, (ring) => ring.toSpliced(corner.index, 0, rounded(at)));
}

/** A hole that would have two corners goes; null if the polygon itself would. */
export function withoutCorner(polygon: PolygonGeometry, { ring, index }: Corner): PolygonGeometry | null {
  const corners = polygon.rings[ring]?.length ?? 0;
  if (corners > FEWEST_CORNERS) return inRing(polygon, ring, (points) => points.toSpliced(index, 1));
  return polygon.rings.length > 1 ? { rings: polygon.rings.toSpliced(ring, 1) } : null;
}

/** Whether the middle of any pixel is inside: what covers none is no region. */
export function coversPixel({ rings }: PolygonGeometry, { width, height }: Size): boolean {
  const ys = rings.flatMap((ring) => ring.map(([, y]) => y));
  const last = Math.min(Math.max(...ys), height);
  for (let y = Math.max(Math.floor(Math.min(...ys)), 0) + 0.5; y < last; y++) {
    const crossings = rings.flatMap((ring) => crossingsAt(ring, y)).sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const first = Math.max(Math.ceil((crossings[i] ?? 0) - 0.5), 0);
      if (first < width && first + 0.5 < (crossings[i + 1] ?? 0)) return true;
    }
  }
  return false;
}

/** The polygon of clicked corners; null while it has no area. */
export function closed(corners: readonly Vec2[]): PolygonGeometry | null {
  const ring = corners.map(rounded).filter(([x, y], i, all) => {
    const before = all[i - 1] ?? all.at(-1);
    return all.length === 1 || before?.[0] !== x || before[1] !== y;
  });
  return ring.length >= FEWEST_CORNERS && Math.abs(signedArea(ring)) >= 0.5 ? { rings: [ring] } : null;
}

function crossingsAt(ring: readonly Vec2[], y: number): number[] {
  return ring.flatMap(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length] ?? [ax, ay];
    return ay > y !== by > y ? [((bx - ax) * (y - ay)) / (by - ay) + ax] : [];
  });
}

function inRing(polygon: PolygonGeometry, ring: number, change: (points: readonly Vec2[]) => readonly Vec2[]): PolygonGeometry {
  return { rings: polygon.rings.map((points, i) => (i === ring ? change(points) : points)) };
}
