import { clamp, type Vec2 } from "../state/geometry";
import type { Size } from "../state/viewport";
import type { StageTool, ToolPointer } from "./tools";

export interface ToolSurroundings {
  toImage(event: PointerEvent): Vec2;
  /** How many pixels of the image one CSS pixel is long. */
  pixel(): number;
  /** Of the image to work on; null if there is none at the moment. */
  image(): Size | null;
  repaint(): void;
}

/** Two presses so soon after, and so near to, each other are a double click. */
const DOUBLE_CLICK_MS = 400;
const DOUBLE_CLICK_PX = 6;

/** Hands the pointer to the tool that is chosen, in coordinates of the image. */
export class ToolHost {
  #tool: StageTool | null = null;
  #dragging = false;
  #button: ToolPointer["button"] = "primary";
  #last_down: PointerEvent | null = null;
  #clicks = 0;

  constructor(private readonly around: ToolSurroundings) {}

  get tool(): StageTool | null {
    return this.#tool;
  }

  set(tool: StageTool | null): void {
    this.cancel();
    this.#tool?.hover?.(null);
    this.#tool = tool;
    this.around.repaint();
  }

  /** Whether the tool takes the drag that follows. */
  down(event: PointerEvent): boolean {
    if (this.#tool === null || this.around.image() === null) return false;
    this.#button = event.button === 2 ? "secondary" : "primary";
    this.#countClicks(event);
    this.#dragging = this.#tool.down(this.#pointer(event));
    return this.#dragging;
  }

  drag(events: readonly PointerEvent[]): void {
    if (this.#dragging) this.#tool?.drag?.(events.map((event) => this.#pointer(event)));
  }

  up(event: PointerEvent): void {
    if (this.#dragging) this.#tool?.up?.(this.#pointer(event));
    this.#dragging = false;
  }

  cancel(): void {
    if (this.#dragging) this.#tool?.cancel?.();
    this.#dragging = false;
  }

  hover(event: PointerEvent | null): void {
    this.#tool?.hover?.(event && this.around.image() ? this.#pointer(event) : null);
  }

  /** Pointer events do not tell it themselves. */
  #countClicks(event: PointerEvent): void {
    const last = this.#last_down;
    const is_again =
      last?.button === event.button &&
      event.timeStamp - last.timeStamp <= DOUBLE_CLICK_MS &&
      Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY) <= DOUBLE_CLICK_PX;
    this.#clicks = is_again ? this.#clicks + 1 : 1;
    this.#last_down = event;
  }

  #pointer(event: PointerEvent): ToolPointer {
    const [x, y] = this.around.toImage(event);
    const { width, height } = this.around.image() ?? { width: 1, height: 1 };
    return {
      x, y, inside: [clamp(x, 0, width), clamp(y, 0, height)], button: this.#button, shift: event.shiftKey, alt: event.altKey, ctrl: event.ctrlKey || event.metaKey,
      pressure: event.pressure, device: event.pointerType === "touch" || event.pointerType === "pen" ? event.pointerType : "mouse",
      pixel: this.around.pixel(), clicks: this.#clicks,
    }; // prettier-ignore
  }
}
