import type { Point } from "../state/types";
import { imageToStage, isSameView, type Viewport } from "../state/viewport";
import type { Frame } from "./frame";
import { REACH_PX, type PointsPainter } from "./points_painter";

/** How long a point is fresh: longer than the prediction takes that learns from it. */
const FRESH_MS = 500;

/**
 * The newest point, on a little canvas of its own. Without a GPU everything within what has changed is put together anew:
 * so the frame that shows the point is a cheap one, and leaves the processors to the request that saves it and to the
 * prediction that is waited for.
 */
export class FreshPoint {
  readonly canvas = document.createElement("canvas");
  #shown: { readonly point: Point; readonly view: Viewport; readonly ratio: number } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `onSettled`: it is to join the others, in a frame to come. */
  constructor(
    private readonly painter: PointsPainter,
    private readonly onSettled: () => void,
  ) {
    this.putAway();
  }

  /** False if it is not free: another point is there, or this one has been for long enough, or the image was moved. */
  show({ view, ratio }: Frame, point: Point, colorOf: (class_id: number) => string): boolean {
    const known = this.#shown;
    if (known !== null) {
      const is_same = known.point.x === point.x && known.point.y === point.y && known.point.class_id === point.class_id;
      return is_same && this.#timer !== undefined && known.ratio === ratio && isSameView(known.view, view);
    }
    const context = this.canvas.getContext("2d");
    if (context === null) return false;
    // One pixel more on each side: its corner lies on whole pixels of the screen.
    const side = 2 * Math.ceil(REACH_PX * ratio) + 2;
    const [x, y] = imageToStage(view, [point.x, point.y]);
    const [left, top] = [snapped(x - REACH_PX, ratio), snapped(y - REACH_PX, ratio)];
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    // Different ratios may have one side.
    this.canvas.style.width = this.canvas.style.height = `${side / ratio}px`;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, side, side);
    this.painter.paint(context, { ...view, x: view.x - left, y: view.y - top }, ratio, [point], colorOf);
    this.canvas.style.transform = `translate(${left}px, ${top}px)`;
    this.#shown = { point, view, ratio };
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.onSettled();
    }, FRESH_MS);
    return true;
  }

  putAway(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#shown = null;
    // Beside the stage, which cuts it off: to hide a layer costs more than to move it.
    this.canvas.style.transform = `translate(${-4 * REACH_PX}px, 0)`;
  }
}

/** Down to a whole pixel of the screen, CSS pixels. */
function snapped(at: number, ratio: number): number {
  return Math.floor(at * ratio) / ratio;
}
