/**
 * Mirror of models/geometry.py: image pixels to feature cells and back.
 * tests/models/geometry_vectors.json holds both to the same values.
 */

export interface GridSpec {
  readonly resize: number;
  readonly size_multiple: number;
  readonly patch_size: number;
}

export interface Grid {
  readonly image_width: number;
  readonly image_height: number;
  readonly input_width: number;
  readonly input_height: number;
  /** Wp and Hp, cells. */
  readonly width: number;
  readonly height: number;
}

export type Vec2 = readonly [x: number, y: number];

export function makeGrid(width: number, height: number, spec: GridSpec): Grid {
  if (width < 1 || height < 1) throw new RangeError(`an image has at least 1 x 1 pixels, found ${width} x ${height}`);
  const longest = Math.max(width, height);
  const input_width = nearestMultiple(width * spec.resize, longest, spec.size_multiple);
  const input_height = nearestMultiple(height * spec.resize, longest, spec.size_multiple);
  return {
    image_width: width,
    image_height: height,
    input_width,
    input_height,
    width: Math.floor(input_width / spec.patch_size),
    height: Math.floor(input_height / spec.patch_size),
  };
}

export function toGrid(grid: Grid, [x, y]: Vec2): Vec2 {
  const [scale_x, scale_y] = scaleOf(grid);
  return [x * scale_x, y * scale_y];
}

export function toImage(grid: Grid, [u, v]: Vec2): Vec2 {
  const [scale_x, scale_y] = scaleOf(grid);
  return [u / scale_x, v / scale_y];
}

/** (column, row) of the cell that covers an image point; the right and bottom edges belong to the last cell. */
export function cellOf(grid: Grid, xy: Vec2): Vec2 {
  const [u, v] = toGrid(grid, xy);
  return [clamp(Math.floor(u), 0, grid.width - 1), clamp(Math.floor(v), 0, grid.height - 1)];
}

export function contains(grid: Pick<Grid, "image_width" | "image_height">, [x, y]: Vec2): boolean {
  return x >= 0 && x <= grid.image_width && y >= 0 && y <= grid.image_height;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

export interface RasterSize {
  readonly width: number;
  readonly height: number;
}

/** Factors (x, y) from coordinates on one raster to those on another one that covers the same rectangle. */
export function scaleBetween(source: RasterSize, target: RasterSize): Vec2 {
  return [target.width / source.width, target.height / source.height];
}

/** Between which two cells of a line a place lies, and the weight of the second. */
export type Tap = readonly [low: number, high: number, weight: number];

/** For each pixel of a line enlarged from `size` to `out_size`: bilinear between cell centres, with clamped edges. */
export function taps(size: number, out_size: number): Tap[] {
  return Array.from({ length: out_size }, (_, i) => {
    const position = clamp(((i + 0.5) * size) / out_size - 0.5, 0, size - 1);
    const low = Math.floor(position);
    return [low, Math.min(low + 1, size - 1), position - low] as const;
  });
}

/** The same operations in the same order as in Python: rounding decides which cell an edge belongs to. */
function scaleOf(grid: Grid): Vec2 {
  return scaleBetween({ width: grid.image_width, height: grid.image_height }, grid);
}

function nearestMultiple(numerator: number, denominator: number, multiple: number): number {
  const unit = denominator * multiple;
  return Math.max(1, Math.floor((2 * numerator + unit) / (2 * unit))) * multiple;
}
