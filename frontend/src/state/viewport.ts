import { clamp, type Vec2 } from "./geometry";

/** Where the image lies in the stage: CSS pixels per image pixel, and the image's top-left corner in stage CSS pixels. */
export interface Viewport {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const MAX_SCALE = 64;
const FIT_PADDING_PX = 20;
/** Part of the image that panning always keeps in sight, CSS pixels. */
const KEEP_VISIBLE_PX = 60;

/** The whole image, centred, with a margin; small images grow to fill the stage. */
export function fit(stage: Size, image: Size): Viewport {
  const room = (side: number): number => Math.max(side - 2 * FIT_PADDING_PX, 1);
  const scale = clamp(Math.min(room(stage.width) / image.width, room(stage.height) / image.height), 1e-4, MAX_SCALE);
  return centred(stage, image, scale);
}

/** The image at `scale`, centred in the stage. */
export function centred(stage: Size, image: Size, scale: number): Viewport {
  return { scale, x: (stage.width - image.width * scale) / 2, y: (stage.height - image.height * scale) / 2 };
}

/** Zoom by `factor` so that the image point under `anchor` (stage CSS pixels) stays there. */
export function zoomAt(view: Viewport, factor: number, anchor: Vec2, stage: Size, image: Size): Viewport {
  const smallest = Math.min(fit(stage, image).scale / 2, 1);
  const scale = clamp(view.scale * factor, smallest, MAX_SCALE);
  const ratio = scale / view.scale;
  const [ax, ay] = anchor;
  return keepInSight({ scale, x: ax - (ax - view.x) * ratio, y: ay - (ay - view.y) * ratio }, stage, image);
}

export function pan(view: Viewport, [dx, dy]: Vec2, stage: Size, image: Size): Viewport {
  return keepInSight({ ...view, x: view.x + dx, y: view.y + dy }, stage, image);
}

/** Moved no further than it takes for a place of the image to lie `margin_px` within the stage. */
export function revealed(view: Viewport, at: Vec2, margin_px: number, stage: Size, image: Size): Viewport {
  const [x, y] = imageToStage(view, at);
  const way = (offset: number, room: number): number => {
    const margin = Math.min(margin_px, room / 2);
    return clamp(offset, margin, room - margin) - offset;
  };
  const by: Vec2 = [way(x, stage.width), way(y, stage.height)];
  return by[0] === 0 && by[1] === 0 ? view : pan(view, by, stage, image);
}

export function isSameView(a: Viewport, b: Viewport): boolean {
  return a.scale === b.scale && a.x === b.x && a.y === b.y;
}

export function stageToImage(view: Viewport, [x, y]: Vec2): Vec2 {
  return [(x - view.x) / view.scale, (y - view.y) / view.scale];
}

export function imageToStage(view: Viewport, [x, y]: Vec2): Vec2 {
  return [x * view.scale + view.x, y * view.scale + view.y];
}

function keepInSight(view: Viewport, stage: Size, image: Size): Viewport {
  const limit = (offset: number, extent: number, room: number): number => {
    const visible = Math.min(KEEP_VISIBLE_PX, extent, room);
    return clamp(offset, visible - extent, room - visible);
  };
  return {
    scale: view.scale,
    x: limit(view.x, image.width * view.scale, stage.width),
    y: limit(view.y, image.height * view.scale, stage.height),
  };
}
