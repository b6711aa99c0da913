import type { Vec2 } from "../state/geometry";
import { centred, fit, pan, revealed, stageToImage, zoomAt, type Size, type Viewport } from "../state/viewport";

/** An image, and where on the stage it lies. */
export interface PlacedImage {
  readonly image_id: number;
  readonly size: Size;
  readonly view: Viewport;
}

/** Where the image lies on the stage: now, and in the frame that a person still saw before. */
export class StageView {
  /** CSS pixels. */
  stage: Size = { width: 1, height: 1 };
  view: Viewport = { scale: 1, x: 0, y: 0 };
  #image: Omit<PlacedImage, "view"> | null = null;
  #is_fitted = true;
  /** As the newest frame shows it. */
  #painted: (PlacedImage & { readonly is_fitted: boolean }) | null = null;
  /** As the last frame of the image before showed that one. */
  #left: PlacedImage | null = null;

  /** `changed`: other coordinates hold. */
  constructor(private readonly changed: () => void) {}

  /** True if it is another image. It is fitted, unless it is the one that no other has replaced on screen yet. */
  setImage(image: Omit<PlacedImage, "view"> | null): boolean {
    const is_other = image?.image_id !== this.#image?.image_id;
    this.#image = image;
    if (!is_other) return false;
    const stays = this.#painted?.image_id === image?.image_id ? this.#painted : null;
    this.#left = this.#painted;
    this.#is_fitted = stays?.is_fitted ?? true;
    if (image) this.view = stays?.view ?? fit(this.stage, image.size);
    return true;
  }

  resize({ width, height }: Size): void {
    this.stage = { width: Math.max(width, 1), height: Math.max(height, 1) };
    if (this.#image && this.#is_fitted) this.view = fit(this.stage, this.#image.size);
  }

  /** A frame shows what is here. */
  painted(): void {
    this.#painted = this.#image && { ...this.#image, view: this.view, is_fitted: this.#is_fitted };
  }

  /** Where the image lies, or lay while it was on screen last; null if it was not. */
  of(image_id: number): PlacedImage | null {
    if (this.#image?.image_id === image_id) return { ...this.#image, view: this.view };
    return this.#left?.image_id === image_id ? this.#left : null;
  }

  pan(by: Vec2): void {
    this.#set((size) => pan(this.view, by, this.stage, size));
  }

  /** Moves the image no further than it takes to have a place of it in sight, if it is the open one. */
  reveal(image_id: number, at: Vec2, margin_px: number): void {
    if (this.#image?.image_id !== image_id) return;
    const view = revealed(this.view, at, margin_px, this.stage, this.#image.size);
    if (view !== this.view) this.#set(() => view);
  }

  /** `anchor`: what stays in its place; the middle of the stage if there is none. Stage CSS pixels. */
  zoom(factor: number, anchor: Vec2 = [this.stage.width / 2, this.stage.height / 2]): void {
    this.#set((size) => zoomAt(this.view, factor, anchor, this.stage, size));
  }

  fit(): void {
    this.#set((size) => fit(this.stage, size));
    this.#is_fitted = true;
  }

  /** One pixel of the image on one of the screen. */
  actualSize(anchor: Vec2 | null): void {
    const scale = 1 / devicePixelRatio;
    if (anchor) this.zoom(scale / this.view.scale, anchor);
    else this.#set((size) => centred(this.stage, size, scale));
  }

  #set(change: (size: Size) => Viewport): void {
    if (this.#image === null) return;
    this.view = change(this.#image.size);
    this.#is_fitted = false;
    this.changed();
  }
}

export function placeOnImage({ view }: PlacedImage, at: Vec2): Vec2 {
  return stageToImage(view, at);
}

export function liesOnImage(placed: PlacedImage, at: Vec2): boolean {
  const [x, y] = placeOnImage(placed, at);
  return x >= 0 && y >= 0 && x <= placed.size.width && y <= placed.size.height;
}
