/** Lines drawn by hand, with as few places as say the same. */
import type { Vec2 } from "./geometry";
import { distanceToSegment, rounded } from "./shapes";

/** No place of a drawn line is farther from the one that is kept, pixels of the image: half of what can be seen. */
export const STROKE_TOLERANCE_PX = 0.25;
/** Looked at as one: the cost grows with the square of it in the worst case. */
const SPAN = 100;
/** What the server takes. */
const MOST_POINTS = 10_000;

/** The line as it is kept: within the tolerance, coarser only where it would have too many places. */
export function simplified(points: readonly Vec2[], tolerance = STROKE_TOLERANCE_PX): Vec2[] {
  let kept = thinned(points, tolerance);
  for (let wider = 2 * tolerance; kept.length > MOST_POINTS; wider *= 2) kept = thinned(points, wider);
  return kept.map(rounded);
}

/** Ramer (1972), Douglas and Peucker (1973); with a stack, since a line may be long. */
function thinned(points: readonly Vec2[], tolerance: number): Vec2[] {
  if (points.length < 3) return dropRepeated(points);
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const spans: [number, number][] = [];
  for (let from = 0; from < points.length - 1; from += SPAN) {
    const to = Math.min(from + SPAN, points.length - 1);
    keep[to] = 1;
    spans.push([from, to]);
  }
  for (let span = spans.pop(); span !== undefined; span = spans.pop()) {
    const [from, to] = span;
    const [farthest, distance] = farthestBetween(points, from, to);
    if (distance <= tolerance) continue;
    keep[farthest] = 1;
    spans.push([from, farthest], [farthest, to]);
  }
  return dropRepeated(points.filter((_, i) => keep[i] === 1));
}

function farthestBetween(points: readonly Vec2[], from: number, to: number): readonly [number, number] {
  let [farthest, distance] = [from, 0];
  const [a, b] = [points[from], points[to]];
  if (a === undefined || b === undefined) return [farthest, distance];
  for (let i = from + 1; i < to; i += 1) {
    const point = points[i];
    const here = point === undefined ? 0 : distanceToSegment(point, a, b);
    if (here > distance) [farthest, distance] = [i, here];
  }
  return [farthest, distance];
}

function dropRepeated(points: readonly Vec2[]): Vec2[] {
  return points.filter(([x, y], i) => {
    const before = points[i - 1];
    return before?.[0] !== x || before[1] !== y;
  });
}
