import { around, type Bounds } from "../state/shapes";
import type { Point } from "../state/types";
import { imageToStage, isSameView, type Size, type Viewport } from "../state/viewport";
import { showCanvas, type Frame } from "./frame";
import { FreshPoint } from "./fresh_point";
import { inOrder, isExtracted, PointsPainter, REACH_PX } from "./points_painter";

/** How far beyond the stage many points are painted while the image is moved, CSS pixels: so far it paints nothing anew. */
const MARGIN_PX = 160;
/** So few are painted anew sooner than a wider canvas is copied into a frame. */
const FEW = 300;
/** Points that need little more room than the stage has are painted all, wherever the image lies. */
const WHOLE_UP_TO = 1.25;

interface Painted {
  readonly view: Viewport;
  readonly ratio: number;
  readonly points: readonly Point[];
  /** What the canvas covers as the image lay when it was painted, CSS pixels of the stage. */
  readonly window: Bounds;
}

/**
 * The points, on a canvas that is as small as they allow: without a GPU every canvas is copied into every frame. One that
 * came on top of the others stays on a canvas of its own for a moment.
 */
export class PointsLayer {
  readonly #painter = new PointsPainter();
  readonly #canvas = document.createElement("canvas");
  readonly #fresh: FreshPoint;
  /** From below. */
  readonly canvases: readonly HTMLCanvasElement[];
  #bounds: { readonly points: readonly Point[]; readonly box: Bounds | null } = { points: [], box: null };
  /** null: all must be painted anew. */
  #painted: Painted | null = null;
  /** Where the canvas has been moved for. */
  #placed: Viewport | null = null;

  /** `onSettled`: a fresh point is to be painted with the others. */
  constructor(onSettled: () => void) {
    this.#fresh = new FreshPoint(this.#painter, onSettled);
    this.canvases = [this.#canvas, this.#fresh.canvas];
    for (const canvas of this.canvases) {
      canvas.className = "stage-points";
      canvas.ariaHidden = "true";
      // Its pixels are those of the screen: a layer of its own, moved by the compositor.
      canvas.style.willChange = "transform";
    }
  }

  /** Colours or the stage have changed; other points are noticed. */
  invalidate(): void {
    this.#painted = null;
    this.#fresh.putAway();
  }

  paint(frame: Frame, points: readonly Point[], colorOf: (class_id: number) => string): void {
    if (this.#showFresh(frame, points, colorOf)) return;
    this.#fresh.putAway();
    if (this.#bounds.points !== points) this.#bounds = { points, box: boundsOf(points) };
    const { box } = this.#bounds;
    const all = box && onStage(box, frame.view);
    const needed = all && common(all, { left: 0, top: 0, right: frame.stage.width, bottom: frame.stage.height });
    if (!showCanvas(this.#canvas, needed !== null) || all === null || needed === null) {
      this.#painted = null;
      return;
    }
    const known = this.#painted;
    const is_moved = known?.ratio === frame.ratio && known.view.scale === frame.view.scale;
    if (!is_moved || !covers(moved(known.window, known.view, frame.view), needed) || !this.#addOnTop(known, points, colorOf)) {
      const margin = is_moved && known.points === points && points.length > FEW ? MARGIN_PX : 0;
      this.#repaint(frame, all, margin, points, colorOf);
    }
    this.#place(frame);
  }

  /** False unless all that has changed is one point on top of what is painted. */
  #showFresh(frame: Frame, points: readonly Point[], colorOf: (class_id: number) => string): boolean {
    const known = this.#painted;
    const is_still = known === null || (known.ratio === frame.ratio && this.#placed !== null && isSameView(this.#placed, frame.view));
    if (!is_still || known?.points === points) return false;
    const [added, ...more] = addedOnTop(known?.points ?? [], points) ?? [];
    if (added === undefined || more.length > 0 || !this.#fresh.show(frame, added, colorOf)) return false;
    if (known === null) showCanvas(this.#canvas, false);
    return true;
  }

  /** Paints what has come on top of what is there; false if more has changed. */
  #addOnTop(known: Painted, points: readonly Point[], colorOf: (class_id: number) => string): boolean {
    if (known.points === points) return true;
    const added = addedOnTop(known.points, points);
    const context = this.#canvas.getContext("2d");
    if (added === null || context === null) return false;
    this.#painter.paint(context, origin(known), known.ratio, added, colorOf);
    this.#painted = { ...known, points };
    return true;
  }

  #repaint({ view, stage, ratio }: Frame, all: Bounds, margin: number, points: readonly Point[], colorOf: (class_id: number) => string): void {
    const window = windowFor(all, stage, ratio, margin);
    const [width, height] = [window.right - window.left, window.bottom - window.top];
    const [columns, rows] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    // Setting a size empties a canvas, and costs even if it is the same.
    if (this.#canvas.width !== columns) this.#canvas.width = columns;
    if (this.#canvas.height !== rows) this.#canvas.height = rows;
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    const context = this.#canvas.getContext("2d");
    if (context === null) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, columns, rows);
    this.#painted = { view, ratio, points, window };
    this.#painter.paint(context, origin(this.#painted), ratio, inOrder(points), colorOf);
  }

  #place({ view, ratio }: Frame): void {
    const known = this.#painted;
    if (known === null) return;
    this.#placed = view;
    // On whole pixels of the screen the points stay as crisp as they were painted.
    const snap = (by: number): number => Math.round(by * ratio) / ratio;
    const [x, y] = [known.window.left + snap(view.x - known.view.x), known.window.top + snap(view.y - known.view.y)];
    this.#canvas.style.transform = `translate(${x}px, ${y}px)`;
  }
}

/** What a canvas has to cover, on whole pixels of the screen: all, or what is within `margin` of the stage. */
export function windowFor(all: Bounds, stage: Size, ratio: number, margin: number): Bounds {
  const is_small = (all.right - all.left) * (all.bottom - all.top) <= WHOLE_UP_TO * stage.width * stage.height;
  const around = { left: -margin, top: -margin, right: stage.width + margin, bottom: stage.height + margin };
  const { left, top, right, bottom } = is_small ? all : (common(all, around) ?? all);
  return {
    left: Math.floor(left * ratio) / ratio,
    top: Math.floor(top * ratio) / ratio,
    right: Math.ceil(right * ratio) / ratio,
    bottom: Math.ceil(bottom * ratio) / ratio,
  };
}

/** Points that were put on top of those before; null if others went or changed, or some belong beneath. */
export function addedOnTop(before: readonly Point[], now: readonly Point[]): readonly Point[] | null {
  if (now.length < before.length || !before.every((point, i) => isSame(point, now[i]))) return null;
  const added = now.slice(before.length);
  return added.some(isExtracted) ? null : added;
}

function isSame(a: Point, b: Point | undefined): boolean {
  return a === b || (a.x === b?.x && a.y === b.y && a.class_id === b.class_id && a.origin === b.origin);
}

/** null where there are none. */
export function boundsOf(points: readonly Point[]): Bounds | null {
  return points.length === 0 ? null : around(points.map(({ x, y }) => [x, y]));
}

/** Where points within the bounds leave ink, CSS pixels of the stage. */
function onStage({ left, top, right, bottom }: Bounds, view: Viewport): Bounds {
  const [x0, y0] = imageToStage(view, [left, top]);
  const [x1, y1] = imageToStage(view, [right, bottom]);
  return { left: x0 - REACH_PX, top: y0 - REACH_PX, right: x1 + REACH_PX, bottom: y1 + REACH_PX };
}

/** The view as the canvas has it. */
function origin({ view, window }: Painted): Viewport {
  return { ...view, x: view.x - window.left, y: view.y - window.top };
}

function moved(box: Bounds, from: Viewport, to: Viewport): Bounds {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  return { left: box.left + dx, top: box.top + dy, right: box.right + dx, bottom: box.bottom + dy };
}

/** null where they do not meet. */
function common(a: Bounds, b: Bounds): Bounds | null {
  const [left, top] = [Math.max(a.left, b.left), Math.max(a.top, b.top)];
  const [right, bottom] = [Math.min(a.right, b.right), Math.min(a.bottom, b.bottom)];
  return left < right && top < bottom ? { left, top, right, bottom } : null;
}

/** But for what rounding may do. */
function covers(outer: Bounds, inner: Bounds): boolean {
  const slack = 0.01;
  return (
    outer.left <= inner.left + slack && outer.top <= inner.top + slack &&
    outer.right >= inner.right - slack && outer.bottom >= inner.bottom - slack
  ); // prettier-ignore
}
