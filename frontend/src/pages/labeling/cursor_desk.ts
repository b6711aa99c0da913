import type { App } from "../../app";
import type { ImageStage } from "../../render/image_stage";
import { PICK_RADIUS_PX } from "../../render/point_tool";
import { nearestPoint, type AnnotationChange } from "../../state/annotations";
import { changeText, placeText, pressText, toolText, whereText } from "../../state/cursor_speech";
import type { Vec2 } from "../../state/geometry";
import { predictedClassAt } from "../../state/predicted_region";
import { cursorKeyOf, type CursorStroke } from "../../state/stage_cursor";
import type { ToolDesk } from "./tool_desk";

/** A key held down is one way: what is there is said at its end. */
const SETTLED_MS = 350;

/** The keyboard's cursor on the image: when it is there, what keys mean to it, what is said of it. */
export class CursorDesk {
  #timer: ReturnType<typeof setTimeout> | null = null;
  #count_said = 0;
  readonly #stops: readonly (() => void)[];

  /** `desk`: in segmentation sessions; elsewhere the cursor only leads the view. */
  constructor(
    private readonly app: App,
    private readonly stage: ImageStage,
    private readonly desk: ToolDesk | null,
  ) {
    const { annotations, labelling, tools, ui } = app;
    this.#stops = [
      annotations.onChange((change) => this.#hearChange(change)),
      labelling.selected_class_id.subscribe(() => this.#sayTool()),
      tools.tool.subscribe(() => this.#sayTool()),
      annotations.image_id.subscribe((image_id) => ui.key_cursor.value && this.#say(`Image ${image_id}.`)),
      ui.gallery_open.subscribe((is_open) => is_open && this.leave()),
    ];
    stage.addEventListener("pointerdown", this.leave, { capture: true });
  }

  stop(): void {
    this.leave();
    for (const stop of this.#stops) stop();
    this.stage.removeEventListener("pointerdown", this.leave, { capture: true });
  }

  toggle(): void {
    if (this.app.ui.key_cursor.value) this.leave();
    else this.#enter();
  }

  /** Whoever takes the mouse has another cursor. */
  readonly leave = (): void => {
    if (!this.app.ui.key_cursor.value) return;
    this.#cancelTimer();
    this.app.ui.key_cursor.set(false);
    this.app.keys.setCursor(false);
    this.stage.setCursor(false);
    this.app.ui.cursor_said.set("");
  };

  /** True if the key is the cursor's. */
  key(stroke: CursorStroke, at_ms: number, is_repeat: boolean): boolean {
    if (!this.app.ui.key_cursor.value || this.app.ui.gallery_open.value) return false;
    if (stroke.key === "Escape" && this.stage.cursor.isHeld) {
      this.stage.cancelTool();
      this.stage.cursor.rest();
      this.#say("Given up.");
      return true;
    }
    const meant = cursorKeyOf(stroke);
    if (meant?.kind !== "press") this.stage.cursor.otherKey();
    if (meant === null || (meant.kind === "press" && this.desk === null)) return false;
    if (meant.kind === "press") {
      if (!is_repeat) this.#press(meant.shift, at_ms);
      return true;
    }
    this.stage.cursor.move(meant.direction, meant.pace, at_ms);
    this.#sayWhereSoon();
    return true;
  }

  /** Of a press that waited for its second one, when another image came. */
  gaveUp(image_id: number): void {
    const open_id = this.app.annotations.image_id.value;
    this.#say(`Given up: it began on image ${image_id}.${open_id === null || open_id === image_id ? "" : ` Image ${open_id} is open.`}`);
  }

  #enter(): void {
    const { ui, navigator } = this.app;
    if (navigator.image === null) return;
    ui.key_cursor.set(true);
    this.app.keys.setCursor(true);
    this.stage.setCursor(true);
    this.stage.focusImage();
    const at = this.stage.cursor.placeOn(performance.now());
    const presses = this.desk ? `${this.#toolText()}. Enter or Space does what a click does. ` : "";
    this.#say(`Keyboard cursor${at ? ` at ${placeText(at)}` : ""}. ${presses}Arrow keys move it, with Shift further, with Ctrl by a pixel. Esc leaves it.`);
  }

  #press(shift: boolean, at_ms: number): void {
    const at = this.stage.cursor.placeOn(at_ms);
    if (at === null || this.desk === null) return;
    const predicted_class_id = this.#predictedAt(at)?.class_id ?? null;
    const said_before = this.#count_said;
    this.stage.cursor.press(shift, at_ms);
    if (this.#count_said > said_before) return;
    const { tools, classes } = this.app;
    const is_held = this.stage.cursor.isHeld;
    const pressed = { tool: tools.tool.value, at, is_held, selection: tools.selection.value, corners: this.desk.openCorners, correction: tools.correction.value, predicted_class_id };
    this.#say(pressText(pressed, classes.value));
  }

  /** Whatever changed it: a press, a key, undo, the server. */
  #hearChange(change: AnnotationChange): void {
    if (!this.app.ui.key_cursor.value || change.origin === "SILENT") return;
    const text = changeText(change, this.app.annotations.current.value, this.app.classes.value);
    if (text !== "") this.#say(text);
  }

  #sayTool(): void {
    if (this.app.ui.key_cursor.value) this.#say(`${this.#toolText()}.`);
  }

  #toolText(): string {
    const { tools, labelling, classes } = this.app;
    return toolText(tools.tool.value, labelling.selected_class_id.value, classes.value);
  }

  #sayWhereSoon(): void {
    this.#cancelTimer();
    this.#timer = setTimeout(() => this.#sayWhere(), SETTLED_MS);
  }

  #sayWhere(): void {
    const at = this.stage.cursor.placeOn(performance.now());
    if (at === null) return;
    const { annotations, classes } = this.app;
    const point = nearestPoint(annotations.current.value.points, at[0], at[1], PICK_RADIUS_PX * this.stage.pixel);
    this.#say(whereText({ at, predicted: this.#predictedAt(at), point_class_id: point?.class_id ?? null }, classes.value));
  }

  #predictedAt(at: Vec2): { readonly class_id: number; readonly p: number } | null {
    const { predictions, classes, navigator } = this.app;
    const [shown, image] = [predictions.shown.value, navigator.image];
    if (shown === null || !image?.width || !image.height || shown.image_id !== image.id) return null;
    return predictedClassAt(shown, classes.value, { width: image.width, height: image.height }, at);
  }

  #say(text: string): void {
    this.#cancelTimer();
    this.#count_said += 1;
    this.app.ui.cursor_said.set(text);
  }

  #cancelTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
