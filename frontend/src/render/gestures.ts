/** Pointers on the stage, told as what they mean: a press of the tool, a pan, a zoom. Coordinates: stage CSS pixels. */
import type { Vec2 } from "../state/geometry";

export interface GestureHandlers {
  /** Whether a press is meant for the image, not for what is beside it. */
  isOnImage(event: PointerEvent): boolean;
  /** Left, right or by finger, on the image; true: the drag that follows belongs to the tool. */
  toolDown(event: PointerEvent): boolean;
  toolDrag(events: readonly PointerEvent[]): void;
  toolUp(event: PointerEvent): void;
  toolCancel(): void;
  pan(by: Vec2): void;
  zoom(factor: number, anchor: Vec2): void;
  /** The pointer moved over the stage without a press, or left it (null). */
  hover(event: PointerEvent | null): void;
  /** Whether a left drag pans: the hand is chosen, not the pen. */
  leftDragPans(): boolean;
  /** Whether one finger draws. */
  touchDraws(): boolean;
  wheelPans(): boolean;
}

const TAP_SLOP_PX = 8;
const WHEEL_LINE_PX = 16;
const MOST_WHEEL_PX = 240;
const WHEEL_SPEED = 0.0018;
/** A pinch on a trackpad arrives as a wheel with Ctrl and small steps. */
const PINCH_SPEED = 0.01;
const PINCH_STEP_PX = 50;

interface Pointer {
  readonly kind: "pan" | "touch" | "tool";
  readonly down: PointerEvent;
  readonly start: Vec2;
  last: Vec2;
  moved: boolean;
}

/** What Safari tells of a pinch on a trackpad. */
interface PinchEvent extends MouseEvent {
  readonly scale: number;
}

/** Listens on `stage` for panning and zooming, and for presses on the image. */
export class Gestures {
  /** Space is held: any drag pans. */
  space_held = false;
  readonly #pointers = new Map<number, Pointer>();
  #pinch_scale = 1;

  constructor(
    private readonly stage: HTMLElement,
    private readonly handlers: GestureHandlers,
  ) {
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.#lost(event));
    stage.addEventListener("pointerleave", () => handlers.hover(null));
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("gesturestart", (event) => this.#pinchStart(event as PinchEvent));
    stage.addEventListener("gesturechange", (event) => this.#pinchChange(event as PinchEvent));
    stage.addEventListener("mousedown", (event) => {
      // No scrolling by the middle button, no selection, no focus ring on the image; but a field that was typed in is
      // left, so that keys mean tools again.
      event.preventDefault();
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    });
  }

  /** The tool's drag is over before the pointer is up. */
  dropTool(): void {
    for (const [id, pointer] of this.#pointers) if (pointer.kind === "tool") this.#pointers.delete(id);
  }

  #down(event: PointerEvent): void {
    const on_image = this.handlers.isOnImage(event);
    if (event.pointerType === "touch") this.#touchDown(event, on_image);
    else if (this.#pans(event, on_image)) this.#begin("pan", event);
    else if (on_image && (event.button === 0 || event.button === 2) && this.handlers.toolDown(event)) this.#begin("tool", event);
  }

  #pans(event: PointerEvent, on_image: boolean): boolean {
    return event.button === 1 || (event.button === 0 && (this.space_held || this.handlers.leftDragPans() || !on_image));
  }

  #touchDown(event: PointerEvent, on_image: boolean): void {
    const drawing = [...this.#pointers.values()].find(({ kind }) => kind === "tool");
    if (drawing) {
      // The second finger: what the first one began was a pinch.
      this.handlers.toolCancel();
      this.#pointers.delete(drawing.down.pointerId);
      this.#pointers.set(drawing.down.pointerId, { ...drawing, kind: "touch", moved: true });
    }
    const draws = this.#pointers.size === 0 && on_image && this.handlers.touchDraws() && !this.handlers.leftDragPans();
    const is_tool = draws && this.handlers.toolDown(event);
    this.#begin(is_tool ? "tool" : "touch", event);
  }

  #begin(kind: Pointer["kind"], event: PointerEvent): void {
    const at = this.#at(event);
    // A finger is captured by what it touched: that is the image, whose tap it may be.
    if (kind !== "touch") this.stage.setPointerCapture(event.pointerId);
    const moved = kind === "touch" && this.#pointers.size > 0;
    this.#pointers.set(event.pointerId, { kind, down: event, start: at, last: at, moved });
    if (kind === "pan") this.stage.classList.add("is-dragging");
  }

  #move(event: PointerEvent): void {
    const pointer = this.#pointers.get(event.pointerId);
    if (pointer === undefined) {
      this.handlers.hover(event);
      return;
    }
    if (pointer.kind === "tool") {
      this.handlers.toolDrag(coalesced(event));
      return;
    }
    const at = this.#at(event);
    const before = pointer.last;
    if (Math.hypot(at[0] - pointer.start[0], at[1] - pointer.start[1]) > TAP_SLOP_PX) pointer.moved = true;
    pointer.last = at;
    const other = [...this.#pointers.values()].find((candidate) => candidate !== pointer);
    if (other) this.#pinch(before, at, other.last);
    else if (pointer.kind === "pan" || pointer.moved) this.handlers.pan([at[0] - before[0], at[1] - before[1]]);
  }

  #up(event: PointerEvent): void {
    const pointer = this.#pointers.get(event.pointerId);
    this.#pointers.delete(event.pointerId);
    this.stage.classList.remove("is-dragging");
    if (pointer?.kind === "tool") this.handlers.toolUp(event);
    const is_tap = pointer?.kind === "touch" && !pointer.moved && this.#pointers.size === 0;
    if (is_tap && this.handlers.isOnImage(pointer.down) && !this.handlers.leftDragPans() && this.handlers.toolDown(pointer.down)) {
      this.handlers.toolUp(event);
    }
    // The finger that stays goes on from where it is; it is no tap any more.
    for (const staying of this.#pointers.values()) staying.moved = true;
  }

  #lost(event: PointerEvent): void {
    if (this.#pointers.get(event.pointerId)?.kind === "tool") this.handlers.toolCancel();
    this.#pointers.delete(event.pointerId);
    this.stage.classList.remove("is-dragging");
  }

  #pinch(before: Vec2, now: Vec2, other: Vec2): void {
    const apart = (a: Vec2): number => Math.max(Math.hypot(a[0] - other[0], a[1] - other[1]), 1);
    this.handlers.zoom(apart(now) / apart(before), [(before[0] + other[0]) / 2, (before[1] + other[1]) / 2]);
    this.handlers.pan([(now[0] - before[0]) / 2, (now[1] - before[1]) / 2]);
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const line = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : WHEEL_LINE_PX;
    const [dx, dy] = [event.deltaX * line, event.deltaY * line];
    const is_sideways = event.shiftKey || Math.abs(dx) > Math.abs(dy);
    if (!event.ctrlKey && !event.metaKey && (is_sideways || this.handlers.wheelPans())) {
      // Some systems turn the wheel sideways themselves when Shift is held.
      this.handlers.pan(event.shiftKey && dx === 0 ? [-dy, 0] : [-dx, -dy]);
      return;
    }
    const speed = event.ctrlKey && Math.abs(dy) < PINCH_STEP_PX ? PINCH_SPEED : WHEEL_SPEED;
    this.handlers.zoom(Math.exp(-Math.min(Math.max(dy, -MOST_WHEEL_PX), MOST_WHEEL_PX) * speed), this.#at(event));
  }

  #pinchStart(event: PinchEvent): void {
    event.preventDefault();
    this.#pinch_scale = 1;
  }

  #pinchChange(event: PinchEvent): void {
    event.preventDefault();
    this.handlers.zoom(event.scale / this.#pinch_scale, this.#at(event));
    this.#pinch_scale = event.scale;
  }

  #at(event: MouseEvent): Vec2 {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
}

/** Every place since the last event; older browsers tell the last one only. */
function coalesced(event: PointerEvent): readonly PointerEvent[] {
  const all = "getCoalescedEvents" in event ? event.getCoalescedEvents() : [];
  return all.length > 0 ? all : [event];
}
