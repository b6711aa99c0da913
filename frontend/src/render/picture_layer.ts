import { scaleBetween } from "../state/geometry";
import { levelFor, tileRect, tilesOver, visiblePart, type Rect, type TileAddress } from "../state/tiles";
import { drawReduced } from "./canvas";
import { coverVisible, type Frame, type Window } from "./frame";
import type { StagePicture, TileProvider } from "./stage_types";

/** From this enlargement on, pixels are shown as squares. */
const CRISP_FROM_SCALE = 3;
/** How far beyond the stage tiles are painted, CSS pixels: a pan this long moves the canvas and paints nothing. */
const MARGIN_PX = 192;

/**
 * The picture: a canvas as large as the picture on screen, scaled by the compositor, and over what is in sight of it
 * the tiles of a large one. So a fraction of `canvas` is that fraction of the picture at any zoom.
 */
export class PictureLayer {
  readonly canvas = document.createElement("canvas");
  readonly detail = document.createElement("canvas");
  #level = -1;
  #picture: StagePicture | null = null;
  #detail_asked = false;
  /** What the tiles' canvas shows, and at which scale; null: it must be painted anew. */
  #painted: { readonly part: Rect; readonly scale: number } | null = null;

  constructor(private readonly needDetail: (image_id: number) => void) {
    this.canvas.dataset.testid = "image-canvas";
    this.canvas.tabIndex = 0;
    this.setInteractive(false);
    this.detail.className = "stage-detail";
    this.detail.ariaHidden = "true";
    this.detail.style.display = "none";
  }

  /** Whether keys move something on it: a screen reader then leaves them to the page. */
  setInteractive(is_interactive: boolean): void {
    this.canvas.setAttribute("role", is_interactive ? "application" : "img");
    if (is_interactive) this.canvas.setAttribute("aria-roledescription", "image with a cursor");
    else this.canvas.removeAttribute("aria-roledescription");
  }

  set(picture: StagePicture | null): void {
    if (picture?.image_id !== this.#picture?.image_id) this.#detail_asked = false;
    this.#picture = picture;
    this.#level = -1;
    this.#painted = null;
  }

  /** Another tile is there. */
  invalidate(): void {
    this.#painted = null;
  }

  /** An id of an SVG filter, "" for none. */
  setFilter(filter: string): void {
    const value = filter === "" ? "" : `url(#${filter})`;
    this.canvas.style.filter = value;
    this.detail.style.filter = value;
  }

  paint(frame: Frame): void {
    if (this.#picture === null) return;
    const { bitmap, size, image_id, tiles } = this.#picture;
    const source = bitmap ?? { width: 1, height: 1 };
    // Along the longer side: across a narrow picture there may be only a rounded pixel or two.
    const [across, down] = scaleBetween(size, source);
    const sharpness = size.width >= size.height ? across : down;
    const scale = frame.view.scale * frame.ratio;
    this.canvas.classList.toggle("is-crisp", scale >= CRISP_FROM_SCALE);
    const is_too_coarse = bitmap !== null && sharpness < 1 && scale > sharpness;
    if (is_too_coarse && tiles === null && !this.#detail_asked) {
      this.#detail_asked = true;
      this.needDetail(image_id);
    }
    this.#reduce(Math.min(scale, sharpness) / sharpness);
    if (is_too_coarse && tiles !== null) this.#paintTiles(frame, tiles, bitmap, scale);
    else {
      this.#painted = null;
      this.detail.style.display = "none";
      tiles?.want([]);
    }
  }

  /** Halved as often as the screen allows: the compositor's own reduction is good for less than two. */
  #reduce(needed: number): void {
    const level = Math.max(0, Math.floor(Math.log2(1 / needed)));
    if (level === this.#level || this.#picture === null) return;
    this.#level = level;
    const { bitmap } = this.#picture;
    drawReduced(this.canvas, bitmap ?? { width: 1, height: 1 }, bitmap, level);
  }

  #paintTiles(frame: Frame, tiles: TileProvider, coarse: ImageBitmap, scale: number): void {
    const inSight = visiblePart(frame.view, frame.stage, frame.image);
    if (this.#painted?.scale === scale && inSight !== null && liesIn(inSight, this.#painted.part)) return;
    const window = coverVisible(this.detail, frame, MARGIN_PX);
    this.#painted = window && { part: window.part, scale };
    // Without transparency: what lies beneath need not be composed.
    const context = this.detail.getContext("2d", { alpha: false });
    if (window === null || context === null) return;
    context.imageSmoothingEnabled = scale < CRISP_FROM_SCALE;
    const sharpest = levelFor(scale, tiles.levels);
    const over = (level: number): TileAddress[] => tilesOver(window.part, frame.image, level);
    const missing = over(sharpest).filter((tile) => tiles.get(tile) === null);
    // What is there of coarser levels lies under what is there of this one.
    if (missing.length > 0) drawPart(context, window, frame, coarse);
    for (let level = missing.length > 0 ? Math.min(sharpest + 2, tiles.levels - 1) : sharpest; level >= sharpest; level -= 1) {
      for (const tile of over(level)) {
        const bitmap = tiles.get(tile);
        if (bitmap) drawTile(context, window, scale, tile, bitmap);
      }
    }
    tiles.want(missing);
  }
}

/** But for what rounding may do at the picture's edges. */
function liesIn(inner: Rect, outer: Rect): boolean {
  const slack = 0.01;
  return (
    inner.left >= outer.left - slack && inner.top >= outer.top - slack &&
    inner.right <= outer.right + slack && inner.bottom <= outer.bottom + slack
  ); // prettier-ignore
}

/** The same part of the whole picture's bitmap. */
function drawPart(context: CanvasRenderingContext2D, { part, width, height }: Window, { image }: Frame, bitmap: ImageBitmap): void {
  const [across, down] = scaleBetween(image, bitmap);
  const [w, h] = [(part.right - part.left) * across, (part.bottom - part.top) * down];
  context.drawImage(bitmap, part.left * across, part.top * down, w, h, 0, 0, width, height);
}

/** To whole pixels of the screen, so that no seam shows between tiles. */
function drawTile(context: CanvasRenderingContext2D, { part }: Window, scale: number, tile: TileAddress, bitmap: ImageBitmap): void {
  const { left, top, right, bottom } = tileRect(tile, bitmap);
  const [x0, y0] = [Math.round((left - part.left) * scale), Math.round((top - part.top) * scale)];
  const [x1, y1] = [Math.round((right - part.left) * scale), Math.round((bottom - part.top) * scale)];
  context.drawImage(bitmap, x0, y0, x1 - x0, y1 - y0);
}
