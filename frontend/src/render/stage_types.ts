import type { Size } from "../state/viewport";

export interface StagePicture {
  readonly image_id: number;
  /** Upright size of the original, pixels: the frame of all coordinates. */
  readonly size: Size;
  /** May be smaller than `size`. */
  readonly bitmap: ImageBitmap | null;
}

export interface StageHandlers {
  add(x: number, y: number): void;
  /** `radius`: how near counts as there, image pixels. */
  removeOrAddOther(x: number, y: number, radius: number): void;
  /** The person looks closer than the bitmap is sharp. */
  needDetail(image_id: number): void;
  zoomed(scale: number): void;
}
