/** Geometry of small plots: where values lie in a box, without anything that draws. */

export interface Box {
  readonly width: number;
  readonly height: number;
  /** Room for the axes, pixels. */
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A value on the curve, with the bounds of its interval where it has one. */
export interface PlotPoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

export type ToPixels = (x: number, y: number) => readonly [number, number];

/** Values to pixels of the box; y grows upwards. An empty range is widened, so that one value lies in the middle. */
export function toPixels(box: Box, x_range: Range, y_range: Range): ToPixels {
  const x = along(widened(x_range), box.left, box.width - box.right);
  const y = along(widened(y_range), box.height - box.bottom, box.top);
  return (at, value) => [x(at), y(value)];
}

function along({ from, to }: Range, start: number, end: number): (value: number) => number {
  return (value) => rounded(start + ((value - from) / (to - from)) * (end - start));
}

function widened({ from, to }: Range): Range {
  return to > from ? { from, to } : { from: from - 0.5, to: to + 0.5 };
}

export function rangeOf(values: readonly number[]): Range {
  return { from: Math.min(...values), to: Math.max(...values) };
}

/** A range of shares that holds all of them and ends on tenths: differences of a few points stay visible. */
export function shareRange(points: readonly PlotPoint[]): Range {
  if (points.length === 0) return { from: 0, to: 1 };
  const low = Math.min(...points.map(({ y, low: bound }) => bound ?? y));
  const high = Math.max(...points.map(({ y, high: bound }) => bound ?? y));
  const from = Math.max(0, Math.floor(low * 10 + 1e-9) / 10);
  const to = Math.min(1, Math.ceil(high * 10 - 1e-9) / 10);
  // All the same: room beside it, but no share is below none or above all.
  return to > from ? { from, to } : { from: Math.max(0, (from * 10 - 1) / 10), to: Math.min(1, (to * 10 + 1) / 10) };
}

/** The line through the points, as an SVG path. */
export function linePath(points: readonly PlotPoint[], at: ToPixels): string {
  return points.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${at(x, y).join(" ")}`).join("");
}

/** The area between the bounds, as an SVG path; empty where fewer than two points have bounds. */
export function bandPath(points: readonly PlotPoint[], at: ToPixels): string {
  const bounded = points.filter(({ low, high }) => low !== undefined && high !== undefined);
  if (bounded.length < 2) return "";
  const upper = bounded.map(({ x, high }) => at(x, high ?? 0).join(" "));
  const lower = bounded.map(({ x, low }) => at(x, low ?? 0).join(" ")).reverse();
  return `M${[...upper, ...lower].join("L")}Z`;
}

/** Round values within a range, about `count` of them; more where there would be one: it alone tells no scale. */
export function ticks(range: Range, count: number): number[] {
  const found = roundValues(range, count);
  return found.length < 2 ? roundValues(range, 2 * count) : found;
}

function roundValues(range: Range, count: number): number[] {
  const { from, to } = widened(range);
  const rough = (to - from) / Math.max(1, count);
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * unit >= rough * (1 - 1e-9)) ?? 10) * unit;
  const found: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i += 1) found.push(Number((i * step).toPrecision(12)));
  return found;
}

function rounded(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
