import type { TileAddress } from "../state/tiles";
import type { Size } from "../state/viewport";
import type { ToolPointer } from "./tools";

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
  /** The image that was on screen at a time, as `Event.timeStamp` has it; null if none was. */
  imageAt(at_ms: number): number | null;
  /** From a press to its release, all of it while an image was still on screen that is not the open one any more. */
  leftInput(pointers: readonly ToolPointer[], image_id: number): void;
  /** What was drawn belongs to no one image: it began on this one (null: on none that was shown), and ended elsewhere. */
  missed(image_id: number | null): void;
  /** What the keyboard's cursor had begun on an image, as another one came on screen. */
  gaveUp(image_id: number): void;
}
