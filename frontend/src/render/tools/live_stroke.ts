import type { Vec2 } from "../../state/geometry";
import type { Viewport } from "../../state/viewport";
import type { PaintSurface } from "../tools";

const OPACITY = 0.55;

/** A stroke while it is drawn: each frame adds what is new, however long the line is. */
export class LiveStroke {
  readonly points: Vec2[] = [];
  readonly #canvas = document.createElement("canvas");
  #drawn = 0;
  #view: Viewport | null = null;

  constructor(
    readonly radius: number,
    private readonly color: string,
  ) {}

  paint({ context, view, stage }: PaintSurface): void {
    const ratio = context.getTransform().a;
    const pen = this.#canvas.getContext("2d");
    if (pen === null) return;
    const [width, height] = [Math.round(stage.width * ratio), Math.round(stage.height * ratio)];
    if (this.#view !== view || this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
      this.#view = view;
      this.#drawn = 0;
    }
    const scale = view.scale * ratio;
    pen.setTransform(scale, 0, 0, scale, view.x * ratio, view.y * ratio);
    pen.lineWidth = 2 * this.radius;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = this.color;
    pen.beginPath();
    // From the last place that was drawn: the joint is round.
    this.points.slice(Math.max(this.#drawn - 1, 0)).forEach(([x, y], i) => {
      if (i === 0) pen.moveTo(x, y);
      pen.lineTo(x, y);
    });
    pen.stroke();
    this.#drawn = this.points.length;
    context.globalAlpha = OPACITY;
    context.drawImage(this.#canvas, 0, 0, stage.width, stage.height);
    context.globalAlpha = 1;
  }
}
