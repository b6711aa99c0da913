import type { Vec2 } from "../state/geometry";
import type { Point } from "../state/types";
import { imageToStage, type Size, type Viewport } from "../state/viewport";

export const POINT_RADIUS_PX = 5.5;
const EXTRACTED_RADIUS_PX = 3;
/** Half the side of a sprite, CSS pixels. */
export const REACH_PX = 10;

type Pen = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Copied faster than from a canvas, which is asked for its newest pixels each time. */
type Sprite = ImageBitmap;

/**
 * Draws points: a dot with a white ring where a person set it, a small hollow ring where it was extracted. Each look is
 * drawn once and then copied, to whole pixels of the screen: thousands of points cost a few milliseconds.
 */
export class PointsPainter {
  readonly #sprites = new Map<string, Sprite>();
  #ratio = 0;

  /** In their order, those on the canvas; `view`: where the image lies in it. */
  paint(
    context: CanvasRenderingContext2D,
    view: Viewport,
    ratio: number,
    points: readonly Point[],
    colorOf: (class_id: number) => string,
  ): void {
    if (ratio !== this.#ratio) this.#sprites.clear();
    this.#ratio = ratio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    const area = { width: context.canvas.width / ratio, height: context.canvas.height / ratio };
    for (const point of points) {
      const at = imageToStage(view, [point.x, point.y]);
      if (isInSight(at, area)) this.#copy(context, at, isExtracted(point) ? this.#hollow(colorOf(point.class_id)) : this.#solid(colorOf(point.class_id)));
    }
  }

  #copy(context: CanvasRenderingContext2D, [x, y]: Vec2, sprite: Sprite): void {
    const half = sprite.width / 2;
    context.drawImage(sprite, Math.round(x * this.#ratio - half), Math.round(y * this.#ratio - half));
  }

  #solid(color: string): Sprite {
    return this.#sprite(`solid ${color}`, (context) => {
      disc(context, POINT_RADIUS_PX + 2.75, "rgb(0 0 0 / 0.45)");
      disc(context, POINT_RADIUS_PX + 1.75, "#ffffff");
      disc(context, POINT_RADIUS_PX, color);
    });
  }

  #hollow(color: string): Sprite {
    return this.#sprite(`hollow ${color}`, (context) => {
      ring(context, EXTRACTED_RADIUS_PX, "rgb(0 0 0 / 0.55)", 3.5);
      ring(context, EXTRACTED_RADIUS_PX, color, 1.75);
    });
  }

  #sprite(name: string, draw: (context: Pen) => void): Sprite {
    const known = this.#sprites.get(name);
    if (known) return known;
    const side = 2 * Math.ceil(REACH_PX * this.#ratio);
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext("2d");
    if (context) {
      context.setTransform(this.#ratio, 0, 0, this.#ratio, side / 2, side / 2);
      draw(context);
    }
    const sprite = canvas.transferToImageBitmap();
    this.#sprites.set(name, sprite);
    return sprite;
  }
}

/** As they are painted: extracted points lie under those of people. */
export function inOrder(points: readonly Point[]): readonly Point[] {
  const beneath = points.filter(isExtracted);
  return beneath.length === 0 ? points : [...beneath, ...points.filter((point) => !isExtracted(point))];
}

/** The ring around the point that a press would take. */
export function paintHoveredPoint(context: CanvasRenderingContext2D, [x, y]: Vec2): void {
  context.save();
  context.translate(x, y);
  ring(context, POINT_RADIUS_PX + 5, "rgb(0 0 0 / 0.5)", 3.5);
  ring(context, POINT_RADIUS_PX + 5, "#ffffff", 1.5);
  context.restore();
}

export function isExtracted({ origin }: Point): boolean {
  return origin === "extracted" || origin === "accepted";
}

function isInSight([x, y]: Vec2, area: Size): boolean {
  return x >= -REACH_PX && y >= -REACH_PX && x <= area.width + REACH_PX && y <= area.height + REACH_PX;
}

function disc(context: Pen, radius: number, color: string): void {
  context.beginPath();
  context.arc(0, 0, radius, 0, 2 * Math.PI);
  context.fillStyle = color;
  context.fill();
}

function ring(context: Pen, radius: number, color: string, width: number): void {
  context.beginPath();
  context.arc(0, 0, radius, 0, 2 * Math.PI);
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}
