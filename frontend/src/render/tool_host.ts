import { clamp, type Vec2 } from "../state/geometry";
import { placeOnImage, type PlacedImage } from "./stage_view";
import type { StageTool, ToolPointer } from "./tools";

/** A pointer event, or what a key stands for in its place. */
export type ToolInput = Pick<
  PointerEvent,
  "clientX" | "clientY" | "button" | "timeStamp" | "shiftKey" | "altKey" | "ctrlKey" | "metaKey" | "pressure" | "pointerType" | "detail"
>;

/** `pointerType` of the keyboard's cursor. Its `detail` counts presses: nobody has to be quick with keys. */
export const KEYBOARD = "keyboard";

export interface ToolSurroundings {
  /** CSS pixels of the stage. */
  at(event: ToolInput): Vec2;
  /** The image that was on screen at a time, as `Event.timeStamp` has it, and where it lay; null if none was. */
  imageAt(at_ms: number): PlacedImage | null;
  /** From a press to its release, all of it while an image was on screen that is not the open one any more. */
  leftInput(pointers: readonly ToolPointer[], image_id: number): void;
  /** What was drawn began on an image, or before one was shown (null), and did not end on it. */
  missed(image_id: number | null): void;
  repaint(): void;
}

/** From a press to its release. */
interface Drag {
  readonly image_id: number;
  readonly pointers: ToolPointer[];
  /** Where on the stage it has come to while its image was on screen. */
  at: Vec2;
  /** Another image is open already: the tool hears of it when it is complete. */
  is_left: boolean;
}

/** Two presses so soon after, and so near to, each other are a double click. */
const DOUBLE_CLICK_MS = 400;
const DOUBLE_CLICK_PX = 6;
/** A pointer that has gone no further rests, CSS pixels. */
const REST_PX = 3;

/**
 * Hands the pointer to the tool that is chosen, in coordinates of the image. A press counts for the image that was on
 * screen at that moment; so does a drag, if all of its way was on that image.
 */
export class ToolHost {
  #tool: StageTool | null = null;
  #image_id: number | null = null;
  #drag: Drag | null = null;
  #button: ToolPointer["button"] = "primary";
  #last_down: ToolInput | null = null;
  #clicks = 0;

  constructor(private readonly around: ToolSurroundings) {}

  get tool(): StageTool | null {
    return this.#tool;
  }

  /** Between a press and its release. */
  get isDragging(): boolean {
    return this.#drag !== null;
  }

  /** The image on which the drag began; null without one. */
  get dragImage(): number | null {
    return this.#drag?.image_id ?? null;
  }

  set(tool: StageTool | null): void {
    this.cancel();
    this.#tool?.hover?.(null);
    this.#tool = tool;
    this.around.repaint();
  }

  /** Another one is open from now on. A drag goes on if it ends before a frame shows that. */
  openImage(image_id: number | null): void {
    this.#image_id = image_id;
    const drag = this.#drag;
    if (drag === null || drag.is_left) return;
    drag.is_left = true;
    this.#tool?.cancel?.();
  }

  /** Whether the tool takes the drag that follows. */
  down(event: ToolInput): boolean {
    const tool = this.#tool;
    if (tool === null || this.#image_id === null) return false;
    this.#button = event.button === 2 ? "secondary" : "primary";
    this.#countClicks(event);
    const image = this.around.imageAt(event.timeStamp);
    if (image === null) {
      this.around.missed(null);
      return false;
    }
    const pointer = this.#pointer(event, image);
    const is_left = image.image_id !== this.#image_id;
    const drags = is_left ? tool.draws : tool.down(pointer);
    if (drags) this.#drag = { image_id: image.image_id, pointers: [pointer], at: this.around.at(event), is_left };
    else if (is_left) this.around.leftInput([pointer], image.image_id);
    return drags;
  }

  drag(events: readonly ToolInput[]): void {
    const pointers = this.#ofDrag(events);
    if (this.#drag?.is_left === false && pointers.length > 0) this.#tool?.drag?.(pointers);
  }

  up(event: ToolInput): void {
    const [pointer] = this.#ofDrag([event]);
    const drag = this.#drag;
    this.#drag = null;
    const end = drag?.pointers.at(-1);
    if (drag?.is_left && end) this.around.leftInput(pointer ? drag.pointers : [...drag.pointers, end], drag.image_id);
    else if (drag && pointer) this.#tool?.up?.(pointer);
  }

  cancel(): void {
    const is_left = this.#drag?.is_left === true;
    const image_id = this.drop();
    if (is_left) this.around.missed(image_id);
  }

  /** As `cancel`, without a word to the person. The image on which the drag began; null if there was none. */
  drop(): number | null {
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.is_left === false) this.#tool?.cancel?.();
    return drag?.image_id ?? null;
  }

  hover(event: ToolInput | null): void {
    const image = event && this.around.imageAt(event.timeStamp);
    const is_open = image !== null && image.image_id === this.#image_id;
    this.#tool?.hover?.(event && is_open ? this.#pointer(event, image) : null);
  }

  /** The drag ends, and is told as missed, if it goes on where another image came on screen meanwhile. */
  #ofDrag(events: readonly ToolInput[]): readonly ToolPointer[] {
    const drag = this.#drag;
    if (drag === null) return [];
    const pointers: ToolPointer[] = [];
    for (const event of events) {
      const image = this.around.imageAt(event.timeStamp);
      const at = this.around.at(event);
      if (image?.image_id !== drag.image_id) {
        if (drag.is_left && Math.hypot(at[0] - drag.at[0], at[1] - drag.at[1]) <= REST_PX) continue;
        drag.is_left = true;
        this.cancel();
        return [];
      }
      drag.at = at;
      pointers.push(this.#pointer(event, image));
    }
    drag.pointers.push(...pointers);
    return pointers;
  }

  /** Pointer events do not tell it themselves. */
  #countClicks(event: ToolInput): void {
    if (event.pointerType === KEYBOARD) {
      this.#clicks = event.detail;
      return;
    }
    const last = this.#last_down;
    const is_again =
      last?.button === event.button &&
      event.timeStamp - last.timeStamp <= DOUBLE_CLICK_MS &&
      Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY) <= DOUBLE_CLICK_PX;
    this.#clicks = is_again ? this.#clicks + 1 : 1;
    this.#last_down = event;
  }

  #pointer(event: ToolInput, image: PlacedImage): ToolPointer {
    const [x, y] = placeOnImage(image, this.around.at(event));
    const { width, height } = image.size;
    return {
      x, y, inside: [clamp(x, 0, width), clamp(y, 0, height)], button: this.#button, shift: event.shiftKey, alt: event.altKey, ctrl: event.ctrlKey || event.metaKey,
      pressure: event.pressure, device: event.pointerType === "touch" || event.pointerType === "pen" ? event.pointerType : "mouse",
      pixel: 1 / image.view.scale, clicks: this.#clicks,
    }; // prettier-ignore
  }
}
