/** Tiles of large pictures: level n shows 2^n x 2^n pixels as one, as backend/services/picture_values.py makes them. */
import { clamp } from "./geometry";
import { stageToImage, type Size, type Viewport } from "./viewport";

/** Pictures with a longer side are shown in tiles. */
const TILED_FROM_PX = 4096;
export const TILE_PX = 512;

export interface TileAddress {
  readonly level: number;
  readonly x: number;
  readonly y: number;
}

export interface Rect {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export function isTiled(size: Size): boolean {
  return Math.max(size.width, size.height) > TILED_FROM_PX;
}

/** How many levels a picture of that size has: the coarsest one is a single tile. */
export function levelCount(size: Size): number {
  let count = 1;
  for (let side = Math.max(size.width, size.height); side > TILE_PX; side = Math.ceil(side / 2)) count += 1;
  return count;
}

/** The coarsest level that is still sharp where a pixel of the picture is `scale` pixels of the screen. */
export function levelFor(scale: number, levels: number): number {
  return clamp(Math.floor(Math.log2(1 / scale)), 0, levels - 1);
}

/** The part of the picture on the stage, in pixels of the picture; null if none is. */
export function visiblePart(view: Viewport, stage: Size, size: Size): Rect | null {
  const [x0, y0] = stageToImage(view, [0, 0]);
  const [x1, y1] = stageToImage(view, [stage.width, stage.height]);
  const part = { left: Math.max(x0, 0), top: Math.max(y0, 0), right: Math.min(x1, size.width), bottom: Math.min(y1, size.height) };
  return part.left < part.right && part.top < part.bottom ? part : null;
}

/** The tiles of a level that cover a part of the picture, those in its middle first. */
export function tilesOver(part: Rect, size: Size, level: number): TileAddress[] {
  const side = TILE_PX * 2 ** level;
  const last = (extent: number): number => Math.ceil(extent / side) - 1;
  const [left, top] = [Math.floor(part.left / side), Math.floor(part.top / side)];
  const right = Math.min(Math.ceil(part.right / side) - 1, last(size.width));
  const bottom = Math.min(Math.ceil(part.bottom / side) - 1, last(size.height));
  const tiles: TileAddress[] = [];
  for (let y = top; y <= bottom; y += 1) for (let x = left; x <= right; x += 1) tiles.push({ level, x, y });
  const [mx, my] = [(part.left + part.right) / 2 / side - 0.5, (part.top + part.bottom) / 2 / side - 0.5];
  const distance = (tile: TileAddress): number => Math.hypot(tile.x - mx, tile.y - my);
  return tiles.sort((a, b) => distance(a) - distance(b));
}

/**
 * What of the picture a tile's bitmap shows. Its last column and row may reach beyond the edge: there fewer than
 * 2^n pixels stand for one.
 */
export function tileRect({ level, x, y }: TileAddress, bitmap: Size): Rect {
  const pixel = 2 ** level;
  const [left, top] = [x * TILE_PX * pixel, y * TILE_PX * pixel];
  return { left, top, right: left + bitmap.width * pixel, bottom: top + bitmap.height * pixel };
}
