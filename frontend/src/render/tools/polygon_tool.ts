import type { Vec2 } from "../../state/geometry";
import { closed } from "../../state/polygons";
import type { PolygonGeometry } from "../../state/regions";
import type { PaintSurface, ToolPointer } from "../tools";
import type { KeyTool, ToolKey } from "./key_tool";
import { handle, line, twoToned } from "./marks";

export interface PolygonHandlers {
  /** What is drawn from now on. */
  chosenClass(): number | null;
  color(class_id: number | null): string;
  isReady(): boolean;
  polygon(geometry: PolygonGeometry, class_id: number | null): void;
  /** It was closed, but has no area. */
  tooSmall(): void;
  changed(): void;
}

/** A polygon that is not closed. */
interface Draft {
  readonly corners: Vec2[];
  class_id: number | null;
}

/** A click so near to the first corner closes, CSS pixels. */
const CLOSE_PX = 9;

/** Clicks set corners; Enter, a double click or a click on the first corner closes; a right click or Backspace takes one back. */
export class PolygonTool implements KeyTool {
  readonly draws = false;
  #draft: Draft = { corners: [], class_id: null };
  #image_id: number | null = null;
  /** On images that were left before it was closed. */
  readonly #kept = new Map<number, Draft>();
  #hovered: Vec2 | null = null;
  #pixel = 1;

  constructor(
    private readonly pointer: () => string,
    private readonly handlers: PolygonHandlers,
  ) {}

  get cursor(): string {
    return this.pointer();
  }

  /** Nothing waits to be closed. */
  get isEmpty(): boolean {
    return this.#draft.corners.length === 0;
  }

  /** Of the one that waits to be closed. */
  get cornerCount(): number {
    return this.#draft.corners.length;
  }

  /** The person chose a class while drawing. */
  takeClass(class_id: number): void {
    this.#draft.class_id = class_id;
  }

  /** Another image comes: what is not closed stays with its own. The image on which it stays, if there is something. */
  openImage(image_id: number | null): number | null {
    const left_id = this.#image_id;
    if (image_id === left_id) return null;
    const is_kept = left_id !== null && !this.isEmpty;
    if (is_kept) this.#kept.set(left_id, this.#draft);
    this.#draft = (image_id === null ? null : this.#kept.get(image_id)) ?? { corners: [], class_id: null };
    if (image_id !== null) this.#kept.delete(image_id);
    this.#image_id = image_id;
    return is_kept ? left_id : null;
  }

  down({ inside, button, clicks, pixel }: ToolPointer): boolean {
    this.#pixel = pixel;
    const { corners } = this.#draft;
    if (button === "secondary") corners.pop();
    else if (corners.length > 1 && (clicks >= 2 || this.#closes(inside))) this.#close();
    else if (corners.length > 0) corners.push(inside);
    else if (this.handlers.isReady()) this.#draft = { corners: [inside], class_id: this.handlers.chosenClass() };
    this.#hovered = inside;
    this.handlers.changed();
    return false;
  }

  hover(pointer: ToolPointer | null): void {
    this.#hovered = pointer?.inside ?? null;
    this.#pixel = pointer?.pixel ?? this.#pixel;
    if (!this.isEmpty) this.handlers.changed();
  }

  key({ key, ctrl }: ToolKey): boolean {
    if (this.isEmpty) return false;
    if (key === "Enter") this.#close();
    // What is not closed yet is not on the server: its undo is here.
    else if (key === "Backspace" || key === "Delete" || (ctrl && key.toLowerCase() === "z")) this.#draft.corners.pop();
    else if (key === "Escape") this.#draft.corners.length = 0;
    else return false;
    this.handlers.changed();
    return true;
  }

  paint({ context, toStage }: PaintSurface): void {
    if (this.isEmpty) return;
    const color = this.handlers.color(this.#draft.class_id);
    const corners = this.#draft.corners.map(toStage);
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
    const { corners } = this.#draft;
    const first = corners[0];
    return first !== undefined && corners.length > 2 && Math.hypot(first[0] - x, first[1] - y) <= CLOSE_PX * this.#pixel;
  }

  #close(): void {
    const { corners, class_id } = this.#draft;
    const polygon = closed(corners);
    if (polygon === null) {
      this.handlers.tooSmall();
      return;
    }
    this.#draft = { corners: [], class_id: null };
    this.handlers.polygon(polygon, class_id);
  }
}
