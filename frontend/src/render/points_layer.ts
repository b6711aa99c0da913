import type { Point } from "../state/types";
import type { Viewport } from "../state/viewport";
import type { Frame } from "./frame";
import { PointsPainter } from "./points_painter";

/** How far beyond the stage points are painted, CSS pixels: a pan this long moves the canvas and paints nothing. */
const MARGIN_PX = 256;

/** The points on a canvas somewhat larger than the stage. */
export class PointsLayer {
  readonly canvas = document.createElement("canvas");
  readonly #painter = new PointsPainter();
  /** How the image lay when the points were painted; null: they must be painted anew. */
  #painted: Viewport | null = null;

  constructor() {
    this.canvas.className = "stage-points";
    this.canvas.ariaHidden = "true";
    // Its pixels are those of the screen: a layer of its own, moved by the compositor.
    this.canvas.style.willChange = "transform";
  }

  /** The points or the canvas have changed. */
  invalidate(): void {
    this.#painted = null;
  }

  paint(frame: Frame, points: readonly Point[], colorOf: (class_id: number) => string): void {
    const { view, ratio } = frame;
    const painted = this.#painted;
    const [dx, dy] = painted ? [view.x - painted.x, view.y - painted.y] : [0, 0];
    const only_moved = painted?.scale === view.scale && Math.max(Math.abs(dx), Math.abs(dy)) <= MARGIN_PX;
    if (!only_moved) this.#repaint(frame, points, colorOf);
    // On whole pixels of the screen the points stay as crisp as they were painted.
    const snap = (by: number): number => Math.round(by * ratio) / ratio;
    const [x, y] = only_moved ? [snap(dx), snap(dy)] : [0, 0];
    this.canvas.style.transform = `translate(${x - MARGIN_PX}px, ${y - MARGIN_PX}px)`;
  }

  #repaint({ view, stage, ratio }: Frame, points: readonly Point[], colorOf: (class_id: number) => string): void {
    const area = { width: stage.width + 2 * MARGIN_PX, height: stage.height + 2 * MARGIN_PX };
    const [width, height] = [Math.round(area.width * ratio), Math.round(area.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.canvas.style.width = `${area.width}px`;
      this.canvas.style.height = `${area.height}px`;
    }
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    this.#painter.paint(context, area, { ...view, x: view.x + MARGIN_PX, y: view.y + MARGIN_PX }, ratio, points, colorOf);
    this.#painted = view;
  }
}
