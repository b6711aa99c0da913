/** The cursor that keys move over the image: what they mean to it, and where it goes. Pixels of the image. */
import { clamp, type Vec2 } from "./geometry";
import type { Task } from "./types";
import { stageToImage, type Size, type Viewport } from "./viewport";

/** A key as KeyboardEvent tells it. */
export interface CursorStroke {
  readonly key: string;
  readonly ctrl: boolean;
  readonly shift: boolean;
  readonly alt: boolean;
}

/** How far an arrow key goes: one pixel of the image, or a way that looks the same at any zoom. */
export type Pace = "pixel" | "short" | "long";

export type CursorKey =
  | { readonly kind: "move"; readonly direction: Vec2; readonly pace: Pace }
  /** A press where the cursor is, and the next one lets go if the tool wants a drag. */
  | { readonly kind: "press"; readonly shift: boolean };

const ARROWS: Readonly<Record<string, Vec2>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** CSS pixels, and pixels of the image at least: zoomed in, a long step still is longer. */
const STEPS: Readonly<Record<Pace, readonly [number, number]>> = { pixel: [0, 1], short: [4, 1], long: [40, 5] };

/** What a key means while the cursor is there. Shift+Enter and Ctrl+Enter stay commands of the page. */
export function cursorKeyOf({ key, ctrl, shift, alt }: CursorStroke): CursorKey | null {
  const direction = ARROWS[key];
  if (alt) return null;
  if (direction !== undefined) return { kind: "move", direction, pace: ctrl ? "pixel" : shift ? "long" : "short" };
  if (ctrl) return null;
  return key === " " || (key === "Enter" && !shift) ? { kind: "press", shift } : null;
}

/** Whether a key of the table of keys, as "Ctrl+ArrowLeft", is the cursor's while it is there. Whole images have nothing to press. */
export function isCursorKey(key: string, task: Task): boolean {
  const parts = key.split("+");
  const meant = cursorKeyOf({ key: parts.at(-1) ?? "", ctrl: parts.includes("Ctrl"), shift: parts.includes("Shift"), alt: false });
  return meant !== null && (meant.kind === "move" || task === "segmentation");
}

/** Whole pixels of the image. `scale`: CSS pixels per pixel of the image. */
export function stepLength(pace: Pace, scale: number): number {
  const [on_screen, least] = STEPS[pace];
  return Math.max(least, Math.round(on_screen / scale));
}

/** The centre of the pixel there, or of the nearest one on the image. */
export function onPixel([x, y]: Vec2, { width, height }: Size): Vec2 {
  return [clamp(Math.floor(x), 0, Math.max(Math.ceil(width) - 1, 0)) + 0.5, clamp(Math.floor(y), 0, Math.max(Math.ceil(height) - 1, 0)) + 0.5];
}

export function stepped([x, y]: Vec2, [dx, dy]: Vec2, length: number, image: Size): Vec2 {
  return onPixel([x + dx * length, y + dy * length], image);
}

/** The middle of the part of the image that is in sight: where the cursor begins. */
export function visibleMiddle(view: Viewport, stage: Size, image: Size): Vec2 {
  const [left, top] = stageToImage(view, [0, 0]);
  const [right, bottom] = stageToImage(view, [stage.width, stage.height]);
  const middle = (low: number, high: number, side: number): number => (clamp(low, 0, side) + clamp(high, 0, side)) / 2;
  return onPixel([middle(left, right, image.width), middle(top, bottom, image.height)], image);
}

/** Whether a place of the image is in sight. */
export function isInSight([x, y]: Vec2, view: Viewport, stage: Size): boolean {
  const [left, top] = stageToImage(view, [0, 0]);
  const [right, bottom] = stageToImage(view, [stage.width, stage.height]);
  return x >= left && y >= top && x <= right && y <= bottom;
}
