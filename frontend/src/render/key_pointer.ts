import type { Vec2 } from "../state/geometry";
import { isInSight, onPixel, stepLength, stepped, visibleMiddle, type Pace } from "../state/stage_cursor";
import { imageToStage, type Viewport } from "../state/viewport";
import type { PlacedImage, StageView } from "./stage_view";
import { KEYBOARD, type ToolHost, type ToolInput } from "./tool_host";

export interface KeyPointerSurroundings {
  /** The image that was on screen at a time, and where it lay; null if none was. */
  imageAt(at_ms: number): PlacedImage | null;
  /** Of the stage, on the page. */
  box(): DOMRect;
  /** It is elsewhere, or gone. */
  changed(): void;
  /** What it had begun on an image, as another one came on screen. */
  gaveUp(image_id: number): void;
}

/** How near to the edge of the stage the view follows, CSS pixels: less than what a fitted image leaves free. */
const MARGIN_PX = 16;

/** Below this share of the stage's height what is said of it stands above. */
const LOW_FROM = 0.75;

/** A cross hair, white on dark, open in the middle; in a corner the colour of the class that a press sets. */
const CROSS =
  `<svg width="80" height="80" viewBox="-40 -40 80 80" aria-hidden="true">` +
  `<g class="cross-back"><path d="M0-37V-7M0 7V37M-37 0H-7M7 0H37"/><circle class="cross-hold" r="18"/></g>` +
  `<g class="cross-line"><path d="M0-37V-7M0 7V37M-37 0H-7M7 0H37"/><circle class="cross-hold" r="18"/></g>` +
  `<circle class="cross-class" cx="16" cy="16" r="6"/></svg>`;

/** The cursor that keys move: what they do with it reaches the tools by the way that the pointer's events take. */
export class KeyPointer {
  readonly element = document.createElement("div");
  #is_on = false;
  /** Pixels of the image; kept while the cursor is away, so that it comes back where it was. */
  #at: Vec2 | null = null;
  /** Presses since it moved, or another key came, and the image they were on. */
  #presses = 0;
  #pressed_id: number | null = null;

  constructor(
    private readonly view: StageView,
    private readonly tools: ToolHost,
    private readonly around: KeyPointerSurroundings,
  ) {
    this.element.className = "stage-cursor";
    this.element.ariaHidden = "true";
    this.element.hidden = true;
    this.element.innerHTML = CROSS;
  }

  get isOn(): boolean {
    return this.#is_on;
  }

  /** A press waits for the one that lets go. */
  get isHeld(): boolean {
    return this.#is_on && this.tools.isDragging;
  }

  set(is_on: boolean): void {
    if (is_on === this.#is_on) return;
    this.#is_on = is_on;
    const placed = this.around.imageAt(performance.now());
    if (is_on && placed) this.#at = this.#start(placed);
    if (!is_on) this.tools.cancel();
    this.rest();
  }

  /** Where it is on the image that was on screen at a time; null if it is not there. */
  placeOn(at_ms: number): Vec2 | null {
    const placed = this.#is_on ? this.around.imageAt(at_ms) : null;
    return placed && this.#on(placed);
  }

  /** CSS pixels of the stage. */
  get onStage(): Vec2 | null {
    const at = this.placeOn(performance.now());
    return at && imageToStage(this.view.view, at);
  }

  move(direction: Vec2, pace: Pace, at_ms: number): void {
    const placed = this.around.imageAt(at_ms);
    if (!this.#is_on || placed === null) return;
    this.#giveUpUnlessOn(placed);
    this.#at = stepped(this.#on(placed), direction, stepLength(pace, placed.view.scale), placed.size);
    this.#presses = 0;
    this.view.reveal(placed.image_id, this.#at, MARGIN_PX);
    const input = this.#input(at_ms, false);
    if (this.isHeld && input) this.tools.drag([input]);
    else this.tools.hover(input);
    this.around.changed();
  }

  /** Down, and up again at once unless the tool wants a drag: then the next press is the release. */
  press(shift: boolean, at_ms: number): void {
    const placed = this.around.imageAt(at_ms);
    if (this.#giveUpUnlessOn(placed)) return;
    this.#presses = placed?.image_id === this.#pressed_id ? this.#presses + 1 : 1;
    this.#pressed_id = placed?.image_id ?? null;
    const input = this.#input(at_ms, shift);
    if (!this.#is_on || input === null) return;
    if (this.isHeld) this.tools.up(input);
    else this.tools.down(input);
    if (!this.isHeld) this.tools.hover(this.#input(at_ms, false));
    // The key was pressed before the image on screen came, and nothing can go on where nobody sees it.
    this.shows();
    this.around.changed();
  }

  /** Another key came: the next press begins a count of its own. */
  otherKey(): void {
    this.#presses = 0;
  }

  /** A frame may show another image now: what was begun on the one before would go on unseen. */
  shows(): void {
    this.#giveUpUnlessOn(this.around.imageAt(performance.now()));
  }

  /** Another tool, a drag was given up, or the cursor came or went: the tool hears where it is. */
  rest(): void {
    this.#presses = 0;
    if (!this.isHeld) this.tools.hover(this.#is_on ? this.#input(performance.now(), false) : null);
    this.around.changed();
  }

  /** Shows the cursor where it is in this frame. `size`: of the image. */
  paint(view: Viewport, size: PlacedImage["size"] | null): void {
    const { element } = this;
    const is_shown = this.#is_on && size !== null;
    if (element.hidden === is_shown) element.hidden = !is_shown;
    if (!is_shown) return;
    const [x, y] = imageToStage(view, onPixel(this.#at ?? visibleMiddle(view, this.view.stage, size), size));
    element.style.transform = `translate(${x}px, ${y}px)`;
    element.classList.toggle("is-held", this.isHeld);
    element.classList.toggle("is-low", y > LOW_FROM * this.view.stage.height);
  }

  /** Whether something was given up. */
  #giveUpUnlessOn(placed: PlacedImage | null): boolean {
    if (!this.isHeld || this.tools.dragImage === (placed?.image_id ?? null)) return false;
    const image_id = this.tools.drop();
    this.rest();
    if (image_id !== null) this.around.gaveUp(image_id);
    return true;
  }

  #start({ view, size }: PlacedImage): Vec2 {
    const { stage } = this.view;
    return this.#at && isInSight(onPixel(this.#at, size), view, stage) ? this.#at : visibleMiddle(view, stage, size);
  }

  /** Another image may be smaller. */
  #on({ view, size }: PlacedImage): Vec2 {
    return onPixel(this.#at ?? visibleMiddle(view, this.view.stage, size), size);
  }

  #input(at_ms: number, shift: boolean): ToolInput | null {
    const placed = this.around.imageAt(at_ms);
    if (placed === null) return null;
    const { left, top } = this.around.box();
    const [x, y] = imageToStage(placed.view, this.#on(placed));
    return {
      clientX: left + x, clientY: top + y, button: 0, timeStamp: at_ms, shiftKey: shift, altKey: false, ctrlKey: false, metaKey: false,
      pressure: 0.5, pointerType: KEYBOARD, detail: this.#presses,
    }; // prettier-ignore
  }
}
