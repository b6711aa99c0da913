import { placesIn, type GridShape, type Selection } from "../../../state/selection";

/** The mouse moved so far: a band, no click. */
const FROM_PX = 6;
/** From the edge on, the grid scrolls under the band. */
const EDGE_PX = 36;
const MOST_STEP_PX = 28;

interface Host {
  scroller(): HTMLElement | null;
  shape(): GridShape;
  /** Around the tiles, in the scrolled area. */
  readonly padding: number;
  begin(): Selection;
  selected(places: readonly number[], before: Selection): void;
}

/** Selecting with the mouse by drawing a rectangle around tiles. */
export class RubberBand {
  justEnded = false;
  #from: readonly [number, number] | null = null;
  #pointer: readonly [number, number] = [0, 0];
  #before: Selection | null = null;
  #frame = 0;

  constructor(private readonly host: Host) {}

  listen(): void {
    this.host.scroller()?.addEventListener("pointerdown", this.#down);
  }

  stop(): void {
    this.host.scroller()?.removeEventListener("pointerdown", this.#down);
    this.#end();
  }

  readonly #down = (event: PointerEvent): void => {
    const scroller = this.host.scroller();
    // The scroll bar, touch (which scrolls) and other buttons are none of ours.
    if (!scroller || event.button !== 0 || event.pointerType !== "mouse" || event.offsetX > scroller.clientWidth) return;
    this.justEnded = false;
    this.#from = this.#onGrid(scroller, event.clientX, event.clientY);
    this.#pointer = [event.clientX, event.clientY];
    const keeps = event.shiftKey || event.ctrlKey || event.metaKey;
    const found = this.host.begin();
    this.#before = keeps ? found : { ...found, ids: new Set() };
    addEventListener("pointermove", this.#move);
    addEventListener("pointerup", this.#up);
    addEventListener("pointercancel", this.#up);
  };

  readonly #move = (event: PointerEvent): void => {
    this.#pointer = [event.clientX, event.clientY];
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.#draw);
  };

  readonly #up = (): void => {
    this.justEnded = this.#box()?.hidden === false;
    this.#end();
  };

  readonly #draw = (): void => {
    this.#frame = 0;
    const scroller = this.host.scroller();
    const box = this.#box();
    if (!scroller || !box || !this.#from || !this.#before) return;
    const [x, y] = this.#onGrid(scroller, ...this.#pointer);
    const [from_x, from_y] = this.#from;
    if (box.hidden && Math.hypot(x - from_x, y - from_y) < FROM_PX) return;
    const area = { left: Math.min(x, from_x), top: Math.min(y, from_y), right: Math.max(x, from_x), bottom: Math.max(y, from_y) };
    box.hidden = false;
    box.style.transform = `translate(${area.left}px, ${area.top}px)`;
    box.style.width = `${area.right - area.left}px`;
    box.style.height = `${area.bottom - area.top}px`;
    this.host.selected(placesIn(area, this.host.shape()), this.#before);
    const step = this.#scrollStep(scroller);
    if (step !== 0) {
      scroller.scrollTop += step;
      this.#frame = requestAnimationFrame(this.#draw);
    }
  };

  #scrollStep(scroller: HTMLElement): number {
    const { top, bottom } = scroller.getBoundingClientRect();
    const [, y] = this.#pointer;
    const over = Math.max(0, y - (bottom - EDGE_PX)) - Math.max(0, top + EDGE_PX - y);
    return Math.max(-MOST_STEP_PX, Math.min(MOST_STEP_PX, over));
  }

  #onGrid(scroller: HTMLElement, x: number, y: number): readonly [number, number] {
    const { left, top } = scroller.getBoundingClientRect();
    return [x - left - this.host.padding, y - top + scroller.scrollTop - this.host.padding];
  }

  #box(): HTMLElement | null {
    return this.host.scroller()?.querySelector<HTMLElement>(".rubber-band") ?? null;
  }

  #end(): void {
    removeEventListener("pointermove", this.#move);
    removeEventListener("pointerup", this.#up);
    removeEventListener("pointercancel", this.#up);
    if (this.#frame !== 0) cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#from = null;
    const box = this.#box();
    if (box) box.hidden = true;
  }
}
