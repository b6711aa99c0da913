import type { Vec2 } from "../../state/geometry";
import { closed } from "../../state/polygons";
import type { PolygonGeometry } from "../../state/regions";
import type { PaintSurface, ToolPointer } from "../tools";
import type { KeyTool, ToolKey } from "./key_tool";
import { handle, line, twoToned } from "./marks";

export interface PolygonHandlers {
  color(): string;
  isReady(): boolean;
  polygon(geometry: PolygonGeometry): void;
  /** It was closed, but has no area. */
  tooSmall(): void;
  changed(): void;
}

/** A click so near to the first corner closes, CSS pixels. */
const CLOSE_PX = 9;

/** Clicks set corners; Enter, a double click or a click on the first corner closes; a right click or Backspace takes one back. */
export class PolygonTool implements KeyTool {
  readonly draws = false;
  #corners: Vec2[] = [];
  #image_id: number | null = null;
  /** Corners on images that were left before they were closed. */
  readonly #kept = new Map<number, Vec2[]>();
  #hovered: Vec2 | null = null;
  #pixel = 1;

  constructor(
    private readonly pointer: () => string,
    private readonly handlers: PolygonHandlers,
  ) {}

  get cursor(): string {
    return this.pointer();
  }

  get isOpen(): boolean {
    return this.#corners.length > 0;
  }

  /** Another image comes: what is not closed stays with its own. The image on which it stays, if there is something. */
  openImage(image_id: number | null): number | null {
    const left_id = this.#image_id;
    if (image_id === left_id) return null;
    const is_kept = left_id !== null && this.isOpen;
    if (is_kept) this.#kept.set(left_id, this.#corners);
    this.#corners = image_id === null ? [] : (this.#kept.get(image_id) ?? []);
    if (image_id !== null) this.#kept.delete(image_id);
    this.#image_id = image_id;
    return is_kept ? left_id : null;
  }

  down({ inside, button, clicks, pixel }: ToolPointer): boolean {
    this.#pixel = pixel;
    if (button === "secondary") this.#takeBack();
    else if (this.#corners.length > 1 && (clicks >= 2 || this.#closes(inside))) this.#close();
    else if (this.#corners.length > 0 || this.handlers.isReady()) this.#corners.push(inside);
    this.#hovered = inside;
    this.handlers.changed();
    return false;
  }

  hover(pointer: ToolPointer | null): void {
    this.#hovered = pointer?.inside ?? null;
    this.#pixel = pointer?.pixel ?? this.#pixel;
    if (this.#corners.length > 0) this.handlers.changed();
  }

  key({ key, ctrl }: ToolKey): boolean {
    if (this.#corners.length === 0) return false;
    if (key === "Enter") this.#close();
    // What is not closed yet is not on the server: its undo is here.
    else if (key === "Backspace" || key === "Delete" || (ctrl && key.toLowerCase() === "z")) this.#takeBack();
    else if (key === "Escape") this.#corners = [];
    else return false;
    this.handlers.changed();
    return true;
  }

  get isEmpty(): boolean {
    return this.#corners.length === 0;
  }

  paint({ context, toStage }: PaintSurface): void {
    if (this.#corners.length === 0) return;
    const color = this.handlers.color();
    const corners = this.#corners.map(toStage);
    const end = this.#hovered ? [...corners, toStage(this.#hovered)] : corners;
    context.beginPath();
    end.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.globalAlpha = 0.3;
    context.fillStyle = color;
    context.fill("evenodd");
    context.globalAlpha = 1;
    twoToned(context, () => line(context, end, false));
    const closes = this.#hovered !== null && this.#closes(this.#hovered);
    corners.forEach((at, i) => handle(context, at, color, true, i === 0 && closes));
  }

  #closes([x, y]: Vec2): boolean {
    const first = this.#corners[0];
    return first !== undefined && this.#corners.length > 2 && Math.hypot(first[0] - x, first[1] - y) <= CLOSE_PX * this.#pixel;
  }

  #close(): void {
    const polygon = closed(this.#corners);
    if (polygon === null) {
      this.handlers.tooSmall();
      return;
    }
    this.#corners = [];
    this.handlers.polygon(polygon);
  }

  #takeBack(): void {
    this.#corners.pop();
  }
}
