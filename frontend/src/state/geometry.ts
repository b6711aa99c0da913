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

/** The same operations in the same order as in Python: rounding decides which cell an edge belongs to. */
function scaleOf(grid: Grid): Vec2 {
  return [grid.width / grid.image_width, grid.height / grid.image_height];
}

function nearestMultiple(numerator: number, denominator: number, multiple: number): number {
  const unit = denominator * multiple;
  return Math.max(1, Math.floor((2 * numerator + unit) / (2 * unit))) * multiple;
}
