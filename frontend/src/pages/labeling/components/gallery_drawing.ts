import { ROW_PX } from "./gallery_layout";
import { TilePicture } from "./tile_picture";

/** Tiles with something new on them that one frame draws; the others are drawn in the next ones. */
const TILES_A_FRAME = 6;
/** Whoever scrolls further in a frame sees no pictures, and much further no tiles: those come where the scrolling ends. */
const QUICK_PX = 90;
const RUSH_ROWS = 3;
const RUSH_OVER_MS = 90;

/** Decides which tiles may be drawn anew in a frame, so that none takes long however far the gallery is scrolled. */
export class GalleryDrawing {
  /** Tiles that are in the document with all that is on them: key of each, by place. */
  #drawn = new Map<number, unknown>();
  #drawing = new Map<number, unknown>();
  #left = TILES_A_FRAME;
  #rush: ReturnType<typeof setTimeout> | null = null;
  #frame = 0;
  #scroll_top = 0;

  constructor(private readonly redraw: () => void) {}

  get is_rushing(): boolean {
    return this.#rush !== null;
  }

  /** Of the tiles that are drawn, in their order. */
  get places(): readonly number[] {
    return [...this.#drawn.keys()].sort((a, b) => a - b);
  }

  begin(): void {
    this.#left = TILES_A_FRAME;
    this.#drawing = new Map();
  }

  /** Whether the tile may be drawn now; what is on it differs with `content`. */
  mayDraw(place: number, content: unknown): boolean {
    if (!this.#drawn.has(place) || this.#drawn.get(place) !== content) {
      if (this.is_rushing || this.#left === 0) return false;
      this.#left -= 1;
    }
    this.#drawing.set(place, content);
    return true;
  }

  /** The tiles are in the document as they were drawn. */
  end(): void {
    TilePicture.wake();
    this.#drawn = this.#drawing;
    if (this.#left > 0 || this.is_rushing || this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.redraw();
    });
  }

  scrolled(scroll_top: number): void {
    const by = Math.abs(scroll_top - this.#scroll_top);
    this.#scroll_top = scroll_top;
    if (by > QUICK_PX) TilePicture.wait();
    if (by < RUSH_ROWS * ROW_PX && !this.is_rushing) return;
    if (this.#rush !== null) clearTimeout(this.#rush);
    this.#rush = setTimeout(() => {
      this.#rush = null;
      this.redraw();
    }, RUSH_OVER_MS);
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#rush !== null) clearTimeout(this.#rush);
    this.#rush = null;
  }
}
