/** Pointers on the stage, told as what they mean: a press on the image, a pan, a zoom. Coordinates: stage CSS pixels. */
import type { Vec2 } from "../state/geometry";

export interface GestureHandlers {
  /** A left click or tap on the image. */
  press(at: Vec2): void;
  /** A right click on the image. */
  pressSecondary(at: Vec2): void;
  pan(by: Vec2): void;
  zoom(factor: number, anchor: Vec2): void;
  /** The pointer moved over the stage, or left it (null). */
  hover(at: Vec2 | null): void;
  /** Whether a left drag pans: the hand is chosen, not the pen. */
  leftDragPans(): boolean;
}

const TAP_SLOP_PX = 8;
const WHEEL_LINE_PX = 16;

interface Pointer {
  readonly kind: "pan" | "touch";
  readonly start: Vec2;
  last: Vec2;
  moved: boolean;
}

/** Listens on `stage` for panning and zooming, and on `surface` (the image) for presses. */
export class Gestures {
  /** Space is held: any drag pans. */
  space_held = false;
  readonly #pointers = new Map<number, Pointer>();

  constructor(
    private readonly stage: HTMLElement,
    private readonly surface: HTMLElement,
    private readonly handlers: GestureHandlers,
  ) {
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.#pointers.delete(event.pointerId));
    stage.addEventListener("pointerleave", () => handlers.hover(null));
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("mousedown", (event) => {
      // No scrolling by the middle button, no selection, no focus ring on the image; but a field that was typed in is
      // left, so that keys mean tools again.
      event.preventDefault();
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    });
  }

  #down(event: PointerEvent): void {
    const at = this.#at(event);
    const on_image = event.target === this.surface;
    if (event.pointerType === "touch") {
      this.#pointers.set(event.pointerId, { kind: "touch", start: at, last: at, moved: false });
      return;
    }
    const pans = event.button === 1 || (event.button === 0 && (this.space_held || this.handlers.leftDragPans() || !on_image));
    if (pans) {
      this.stage.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, { kind: "pan", start: at, last: at, moved: false });
    } else if (on_image && event.button === 0) this.handlers.press(at);
    else if (on_image && event.button === 2) this.handlers.pressSecondary(at);
  }

  #move(event: PointerEvent): void {
    const at = this.#at(event);
    const pointer = this.#pointers.get(event.pointerId);
    if (pointer === undefined) {
      this.handlers.hover(at);
      return;
    }
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
    const is_tap = pointer?.kind === "touch" && !pointer.moved && this.#pointers.size === 0;
    if (is_tap && event.target === this.surface) this.handlers.press(this.#at(event));
  }

  #pinch(before: Vec2, now: Vec2, other: Vec2): void {
    const apart = (a: Vec2): number => Math.max(Math.hypot(a[0] - other[0], a[1] - other[1]), 1);
    this.handlers.zoom(apart(now) / apart(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    this.handlers.pan([(now[0] - before[0]) / 2, (now[1] - before[1]) / 2]);
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const delta = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * WHEEL_LINE_PX : event.deltaY;
    // A pinch on a trackpad arrives as a wheel with Ctrl and small steps.
    const speed = event.ctrlKey ? 0.01 : 0.0018;
    this.handlers.zoom(Math.exp(-Math.min(Math.max(delta, -240), 240) * speed), this.#at(event));
  }

  #at(event: MouseEvent): Vec2 {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
}
