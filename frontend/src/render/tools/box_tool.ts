import type { Vec2 } from "../../state/geometry";
import type { BoxGeometry } from "../../state/regions";
import { boxBetween } from "../../state/shapes";
import type { PaintSurface, ToolPointer } from "../tools";
import type { KeyTool } from "./key_tool";
import { line, twoToned } from "./marks";

export interface BoxHandlers {
  color(): string;
  isReady(): boolean;
  box(geometry: BoxGeometry): void;
  changed(): void;
}

/** A drag so short is a slip of the hand, CSS pixels. */
const SLIP_PX = 3;

/** A drag from corner to corner; with Shift a square. */
export class BoxTool implements KeyTool {
  readonly draws = true;
  #from: Vec2 | null = null;
  #to: Vec2 | null = null;

  constructor(
    private readonly pointer: () => string,
    private readonly handlers: BoxHandlers,
  ) {}

  get cursor(): string {
    return this.pointer();
  }

  down({ inside, button }: ToolPointer): boolean {
    if (button !== "primary" || !this.handlers.isReady()) return false;
    this.#from = this.#to = inside;
    return true;
  }

  drag(pointers: readonly ToolPointer[]): void {
    const last = pointers.at(-1);
    if (last && this.#from) this.#to = last.shift ? square(this.#from, last.inside) : last.inside;
    this.handlers.changed();
  }

  up(pointer: ToolPointer): void {
    this.drag([pointer]);
    const [from, to] = [this.#from, this.#to];
    this.cancel();
    if (!from || !to || Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])) < SLIP_PX * pointer.pixel) return;
    const box = boxBetween(from, to);
    if (box) this.handlers.box(box);
  }

  cancel(): void {
    this.#from = this.#to = null;
    this.handlers.changed();
  }

  get isEmpty(): boolean {
    return this.#from === null || this.#to === null;
  }

  paint({ context, toStage }: PaintSurface): void {
    if (!this.#from || !this.#to) return;
    const [[ax, ay], [bx, by]] = [toStage(this.#from), toStage(this.#to)];
    context.globalAlpha = 0.3;
    context.fillStyle = this.handlers.color();
    context.fillRect(ax, ay, bx - ax, by - ay);
    context.globalAlpha = 1;
    twoToned(context, () => line(context, [[ax, ay], [bx, ay], [bx, by], [ax, by]], true));
  }
}

function square([x, y]: Vec2, [tx, ty]: Vec2): Vec2 {
  const side = Math.min(Math.abs(tx - x), Math.abs(ty - y));
  return [x + Math.sign(tx - x) * side, y + Math.sign(ty - y) * side];
}
