import { actionFor, type Binding, type Command } from "../../state/keymap";

export interface KeyboardHandlers {
  bindings(): readonly Binding[];
  /** `at_ms`: when the key was pressed; a busy page hears of it later. */
  command(command: Command, at_ms: number): void;
  chooseClass(index: number, at_ms: number): void;
  /** The cursor that the keyboard moves over the image, where it is there: it is asked before all others. */
  cursorKey(key: { readonly key: string; readonly ctrl: boolean; readonly shift: boolean; readonly alt: boolean }, at_ms: number, is_repeat: boolean): boolean;
  /** The tool at work is asked first: Escape, Enter, arrows and the like may be its. */
  toolKey(key: { readonly key: string; readonly ctrl: boolean; readonly shift: boolean; readonly alt: boolean }, at_ms: number): boolean;
  hide(hidden: boolean): void;
  isHidden(): boolean;
  space(held: boolean): void;
  /** A dialog is open: its keys are its own. */
  isBlocked(): boolean;
}

/** H held longer than this hides only while it is held. */
const HOLD_MS = 250;

/** The keys of the whole page, by the table in state/keymap.ts. */
export class Keyboard {
  #hide_pressed_at: number | null = null;
  /** KeyboardEvent.code of the key that hides. */
  #hide_code = "";
  #was_hidden = false;

  constructor(private readonly handlers: KeyboardHandlers) {}

  listen(): void {
    addEventListener("keydown", this.#down);
    addEventListener("keyup", this.#up);
    addEventListener("blur", this.#blur);
  }

  stop(): void {
    removeEventListener("keydown", this.#down);
    removeEventListener("keyup", this.#up);
    removeEventListener("blur", this.#blur);
  }

  readonly #down = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing || this.handlers.isBlocked()) return;
    const target = focused(event);
    const { key, code, shiftKey: shift, altKey: alt } = event;
    const ctrl = event.ctrlKey || event.metaKey;
    if (isForImage(target) && this.handlers.cursorKey({ key, ctrl, shift, alt }, event.timeStamp, event.repeat)) {
      event.preventDefault();
      return;
    }
    if (event.key === " " && !["input", "select", "textarea", "button", "a", "summary"].includes(target.tag)) {
      event.preventDefault();
      this.handlers.space(true);
      return;
    }
    if (isForTools(target, key) && this.handlers.toolKey({ key, ctrl, shift, alt }, event.timeStamp)) {
      event.preventDefault();
      return;
    }
    const action = actionFor({ key, code, ctrl, shift, alt }, target, this.handlers.bindings());
    if (action === null) return;
    event.preventDefault();
    if (action.kind === "class") {
      // A digit held down must not label one image after the other.
      if (!event.repeat) this.handlers.chooseClass(action.index, event.timeStamp);
    } else if (action.command === "hide-overlay") this.#hideDown(event);
    else if (!event.repeat || repeats(action.command)) this.handlers.command(action.command, event.timeStamp);
  };

  readonly #up = (event: KeyboardEvent): void => {
    if (event.key === " ") this.handlers.space(false);
    if (event.code !== this.#hide_code || this.#hide_pressed_at === null) return;
    const was_held = performance.now() - this.#hide_pressed_at > HOLD_MS;
    this.#hide_pressed_at = null;
    this.handlers.hide(was_held ? this.#was_hidden : !this.#was_hidden);
  };

  readonly #blur = (): void => {
    this.handlers.space(false);
    if (this.#hide_pressed_at !== null) this.handlers.hide(this.#was_hidden);
    this.#hide_pressed_at = null;
  };

  #hideDown({ repeat, code }: KeyboardEvent): void {
    if (repeat) return;
    this.#hide_code = code;
    this.#hide_pressed_at = performance.now();
    this.#was_hidden = this.handlers.isHidden();
    this.handlers.hide(true);
  }
}

/** Holding the key down goes on doing it. */
function repeats(command: Command): boolean {
  return ["next", "previous", "next-in-order", "previous-in-order", "undo", "redo", "zoom-in", "zoom-out", "opacity-up", "opacity-down"].includes(command);
}

/** Arrows, Enter and Space belong to the control that has the focus. */
function isForImage({ tag, editable }: { tag: string; editable: boolean }): boolean {
  return !editable && !["input", "select", "textarea", "button", "a", "summary"].includes(tag);
}

/** Not while typing; Enter on a button presses the button. */
function isForTools({ tag, editable }: { tag: string; editable: boolean }, key: string): boolean {
  if (editable || ["input", "select", "textarea"].includes(tag)) return false;
  return key !== "Enter" || !["button", "a", "summary"].includes(tag);
}

function focused(event: KeyboardEvent): { tag: string; editable: boolean } {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return { tag: "", editable: false };
  // The focus stays in what has just been closed, such as the search of a dialog, until the next frame: nobody types there.
  if (!target.checkVisibility()) {
    target.blur();
    return { tag: "", editable: false };
  }
  return { tag: target.localName, editable: target.isContentEditable };
}
