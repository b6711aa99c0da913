import type { Vec2 } from "../state/geometry";
import { visiblePart, type Rect } from "../state/tiles";
import { imageToStage, type Size, type Viewport } from "../state/viewport";
import type { PaintSurface } from "./tools";

/** What all layers of one painted frame share. */
export interface Frame {
  readonly view: Viewport;
  /** CSS pixels. */
  readonly stage: Size;
  /** Of the picture, its own pixels. */
  readonly image: Size;
  /** Pixels of the screen per CSS pixel. */
  readonly ratio: number;
}

/** A canvas that lies over the part of the picture that is on the stage, one canvas pixel per pixel of the screen. */
export interface Window {
  /** Pixels of the picture that the canvas shows: a little more than is in sight, up to whole pixels of the screen. */
  readonly part: Rect;
  readonly width: number;
  readonly height: number;
}

/**
 * Puts a canvas inside the stage's world over the visible part of the picture; null, and hidden, if none is in sight.
 * Its size is set only when it changes, which empties it. `margin_px`: how far beyond the stage it reaches, CSS pixels.
 */
export function coverVisible(canvas: HTMLCanvasElement, { view, stage, image, ratio }: Frame, margin_px = 0): Window | null {
  const around = { width: stage.width + 2 * margin_px, height: stage.height + 2 * margin_px };
  const part = visiblePart({ scale: view.scale, x: view.x + margin_px, y: view.y + margin_px }, around, image);
  canvas.style.display = part === null ? "none" : "";
  if (part === null) return null;
  const device = view.scale * ratio;
  const left = Math.floor(part.left * device);
  const top = Math.floor(part.top * device);
  // Where the picture ends, the canvas ends: on fractions of a pixel, as the picture's own does.
  const right = Math.min(Math.ceil(part.right * device), image.width * device);
  const bottom = Math.min(Math.ceil(part.bottom * device), image.height * device);
  const width = Math.max(1, Math.round(right - left));
  const height = Math.max(1, Math.round(bottom - top));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const { style } = canvas;
  style.left = `${left / ratio}px`;
  style.top = `${top / ratio}px`;
  style.width = `${(right - left) / ratio}px`;
  style.height = `${(bottom - top) / ratio}px`;
  return { part: { left: left / device, top: top / device, right: right / device, bottom: bottom / device }, width, height };
}

/**
 * Whether the canvas is to be painted. An empty one is hidden: without a GPU the browser copies each canvas that is
 * shown in every frame, and blends it with what lies beneath.
 */
export function showCanvas(canvas: HTMLCanvasElement, has_ink: boolean): boolean {
  if (canvas.hidden === has_ink) canvas.hidden = !has_ink;
  // Emptied, and its pixels given back.
  if (!has_ink && canvas.width > 1) canvas.width = canvas.height = 1;
  return has_ink;
}

/** The surface of a canvas as large as the stage. */
export function stageSurface(canvas: HTMLCanvasElement, frame: Frame): PaintSurface | null {
  const { view, stage, image, ratio } = frame;
  const context = canvas.getContext("2d");
  if (context === null) return null;
  const [width, height] = [Math.round(stage.width * ratio), Math.round(stage.height * ratio)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return {
    context, view, stage, image,
    toStage: (xy: Vec2) => imageToStage(view, xy),
    inImage: (draw) => {
      context.save();
      context.translate(view.x, view.y);
      context.scale(view.scale, view.scale);
      context.beginPath();
      context.rect(0, 0, image.width, image.height);
      context.clip();
      draw(context);
      context.restore();
    },
  }; // prettier-ignore
}
