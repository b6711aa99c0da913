import type { TileAddress } from "../state/tiles";
import type { Size } from "../state/viewport";

/** Where the stage gets the tiles of a large picture from. */
export interface TileProvider {
  readonly levels: number;
  /** The tile if it is there already. */
  get(tile: TileAddress): ImageBitmap | null;
  /** These are missing, the most wanted first; whatever else is under way may stop. */
  want(tiles: readonly TileAddress[]): void;
}

export interface StagePicture {
  readonly image_id: number;
  /** Upright size of the original, pixels: the frame of all coordinates. */
  readonly size: Size;
  /** May be smaller than `size`. */
  readonly bitmap: ImageBitmap | null;
  /** Of a picture that is too large for one bitmap; null: it comes whole. */
  readonly tiles: TileProvider | null;
}

export interface StageHandlers {
  /** The person looks closer than the bitmap is sharp. */
  needDetail(image_id: number): void;
  zoomed(scale: number): void;
}
