/**
 * What the page needs of models/geometry.py: rasters that cover the same rectangle.
 * tests/models/geometry_vectors.json holds both to the same values.
 */

export type Vec2 = readonly [x: number, y: number];

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
