import type { Vec2 } from "../../state/geometry";
import { anchorOf } from "../../state/mask_runs";
import { shapeOf, type Region } from "../../state/regions";
import { boundsOf, type Bounds } from "../../state/shapes";
import { isSameView, type Viewport } from "../../state/viewport";
import type { PaintSurface, StageLayer } from "../tools";
import { fillShape } from "./region_paths";

export interface ShownRegions {
  readonly regions: readonly Region[];
  readonly hidden: ReadonlySet<number>;
  /** #RRGGBB by id of the class. */
  readonly colors: ReadonlyMap<number, string>;
  /** 0..1, of what the outline surrounds, and of the hatch in it. */
  readonly fill: number;
  readonly hatch: number;
}

/** How far beyond the stage regions are painted, CSS pixels: a pan this long paints nothing anew. */
const MARGIN_PX = 160;
/** A zoom shows what was painted before, larger or smaller, until it rests this long. */
const SETTLE_MS = 90;
/** CSS pixels. */
const HATCH_STEP_PX = 8;
const OUTLINE_PX = 1.5;
/** A region that looks smaller has no room for a sign. */
const SIGN_NEEDS_PX = 26;
const SIGN_RADIUS_PX = 7;

const AROUND: readonly Vec2[] = [[1, 0], [-1, 0], [0, 1], [0, -1], [0.7, 0.7], [-0.7, 0.7], [0.7, -0.7], [-0.7, -0.7]]; // prettier-ignore

/**
 * The regions of people: a light fill with a hatch and an outline in the colour of the class, so that they never look
 * like the prediction. They are put together on a canvas of their own, in the order in which they lie, which is moved
 * with the image; one that is added is painted alone.
 */
export class RegionsLayer implements StageLayer {
  #shown: ShownRegions = { regions: [], hidden: new Set(), colors: new Map(), fill: 0, hatch: 0 };
  /** What covers what, in full colours. */
  readonly #covered = document.createElement("canvas");
  readonly #ready = document.createElement("canvas");
  readonly #scratch = document.createElement("canvas");
  #painted: { readonly shown: ShownRegions; readonly view: Viewport; readonly ratio: number } | null = null;
  #hatch: { readonly ratio: number; readonly pattern: CanvasPattern | null } | null = null;
  #settle: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly repaint: () => void) {}

  set(shown: ShownRegions): void {
    if (shown.regions === this.#shown.regions && sameLook(shown, this.#shown)) return;
    this.#shown = shown;
    this.repaint();
  }

  get isEmpty(): boolean {
    return this.#shown.regions.length === 0;
  }

  paint(surface: PaintSurface): void {
    if (this.isEmpty) {
      this.#painted = null;
      return;
    }
    const ratio = surface.context.getTransform().a;
    if (this.#mustRepaint(surface, ratio)) this.#paintAll(surface, ratio);
    const { view } = this.#painted ?? surface;
    const zoom = surface.view.scale / view.scale;
    const [x, y] = [surface.view.x - (view.x + MARGIN_PX) * zoom, surface.view.y - (view.y + MARGIN_PX) * zoom];
    surface.context.drawImage(this.#ready, x, y, (this.#ready.width / ratio) * zoom, (this.#ready.height / ratio) * zoom);
    this.#paintSigns(surface);
  }

  #mustRepaint({ view, stage }: PaintSurface, ratio: number): boolean {
    const painted = this.#painted;
    const size_fits = this.#ready.width === Math.round((stage.width + 2 * MARGIN_PX) * ratio) && this.#ready.height === Math.round((stage.height + 2 * MARGIN_PX) * ratio);
    if (painted?.ratio !== ratio || painted.shown !== this.#shown || !size_fits) return true;
    if (painted.view.scale === view.scale) return Math.max(Math.abs(view.x - painted.view.x), Math.abs(view.y - painted.view.y)) > MARGIN_PX;
    if (this.#settle !== null) clearTimeout(this.#settle);
    this.#settle = setTimeout(() => {
      this.#settle = null;
      this.#painted = null;
      this.repaint();
    }, SETTLE_MS);
    return false;
  }

  #paintAll({ view, stage, image }: PaintSurface, ratio: number): void {
    const [width, height] = [Math.round((stage.width + 2 * MARGIN_PX) * ratio), Math.round((stage.height + 2 * MARGIN_PX) * ratio)];
    const known = this.#painted;
    const is_same_place = known?.ratio === ratio && isSameView(known.view, view) && this.#covered.width === width && this.#covered.height === height;
    const added = is_same_place ? addedOnTop(known.shown, this.#shown) : null;
    for (const canvas of [this.#covered, this.#ready, this.#scratch]) if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const context = this.#covered.getContext("2d");
    if (context === null) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (added === null) context.clearRect(0, 0, width, height);
    const scale = view.scale * ratio;
    context.save();
    context.setTransform(scale, 0, 0, scale, (view.x + MARGIN_PX) * ratio, (view.y + MARGIN_PX) * ratio);
    context.beginPath();
    context.rect(0, 0, image.width, image.height);
    context.clip();
    for (const region of added ?? this.#shown.regions) this.#cover(context, region);
    context.restore();
    const toCanvas = (place: number, offset: number): number => (place * view.scale + offset + MARGIN_PX) * ratio;
    const part = added === null ? null : around(added);
    if (added === null) this.#finish(ratio, { left: 0, top: 0, right: width, bottom: height });
    else if (part) {
      const reach = (OUTLINE_PX + 2) * ratio;
      const [left, top] = [Math.floor(toCanvas(part.left, view.x) - reach), Math.floor(toCanvas(part.top, view.y) - reach)];
      this.#finish(ratio, { left, top, right: Math.ceil(toCanvas(part.right, view.x) + reach), bottom: Math.ceil(toCanvas(part.bottom, view.y) + reach) });
    }
    this.#painted = { shown: this.#shown, view, ratio };
  }

  #cover(context: CanvasRenderingContext2D, region: Region): void {
    const shape = shapeOf(region);
    if (shape === null || this.#shown.hidden.has(region.id)) return;
    context.globalCompositeOperation = region.class_id === null ? "destination-out" : "source-over";
    fillShape(context, shape, region.class_id === null ? "#000000" : (this.#shown.colors.get(region.class_id) ?? "#808080"));
  }

  /** From what is covered: fill, hatch, outline; only in `part`, pixels of the canvas. */
  #finish(ratio: number, part: Bounds): void {
    const context = this.#ready.getContext("2d");
    const scratch = this.#scratch.getContext("2d");
    if (context === null || scratch === null) return;
    for (const pen of [context, scratch]) {
      pen.save();
      pen.beginPath();
      pen.rect(part.left, part.top, part.right - part.left, part.bottom - part.top);
      pen.clip();
    }
    this.#draw(context, ratio);
    for (const pen of [context, scratch]) pen.restore();
  }

  #draw(context: CanvasRenderingContext2D, ratio: number): void {
    const { width, height } = this.#ready;
    context.clearRect(0, 0, width, height);
    this.#outline(context, (OUTLINE_PX + 1) * ratio, "rgb(0 0 0 / 0.55)");
    this.#outline(context, OUTLINE_PX * ratio, null);
    context.globalAlpha = this.#shown.fill;
    context.drawImage(this.#covered, 0, 0);
    this.#scratched((scratch) => {
      scratch.drawImage(this.#covered, 0, 0);
      scratch.globalCompositeOperation = "destination-in";
      scratch.fillStyle = this.#stripes(scratch, ratio) ?? "#000000";
      scratch.fillRect(0, 0, width, height);
    });
    context.globalAlpha = this.#shown.hatch;
    context.drawImage(this.#scratch, 0, 0);
    context.globalAlpha = 1;
  }

  /** A rim around what is covered; `color` null: that of the class. */
  #outline(context: CanvasRenderingContext2D, reach: number, color: string | null): void {
    this.#scratched((scratch) => {
      for (const [dx, dy] of color === null ? AROUND : AROUND.slice(4)) scratch.drawImage(this.#covered, dx * reach, dy * reach);
      scratch.globalCompositeOperation = "destination-out";
      scratch.drawImage(this.#covered, 0, 0);
      if (color === null) return;
      scratch.globalCompositeOperation = "source-in";
      scratch.fillStyle = color;
      scratch.fillRect(0, 0, this.#scratch.width, this.#scratch.height);
    });
    context.drawImage(this.#scratch, 0, 0);
  }

  #scratched(draw: (context: CanvasRenderingContext2D) => void): void {
    const context = this.#scratch.getContext("2d");
    if (context === null) return;
    context.save();
    context.clearRect(0, 0, this.#scratch.width, this.#scratch.height);
    draw(context);
    context.restore();
  }

  #stripes(context: CanvasRenderingContext2D, ratio: number): CanvasPattern | null {
    if (this.#hatch?.ratio === ratio) return this.#hatch.pattern;
    const tile = document.createElement("canvas");
    tile.width = tile.height = Math.round(HATCH_STEP_PX * ratio);
    const side = tile.width;
    const pen = tile.getContext("2d");
    if (pen) {
      pen.lineWidth = 1.4 * ratio;
      for (const shift of [-side, 0, side]) {
        pen.moveTo(shift - 1, side + 1);
        pen.lineTo(shift + side + 1, -1);
      }
      pen.stroke();
    }
    this.#hatch = { ratio, pattern: context.createPattern(tile, "repeat") };
    return this.#hatch.pattern;
  }

  /** A tick on what was accepted of a prediction. */
  #paintSigns({ context, view, toStage }: PaintSurface): void {
    for (const region of this.#shown.regions) {
      const shape = shapeOf(region);
      if (region.origin !== "accepted" || shape === null || region.class_id === null || this.#shown.hidden.has(region.id)) continue;
      const { left, top, right, bottom } = boundsOf(shape);
      if (Math.min(right - left, bottom - top) * view.scale < SIGN_NEEDS_PX) continue;
      const at: Vec2 = shape.kind === "mask" ? anchorOf(shape.geometry) : [(left + right) / 2, (top + bottom) / 2];
      paintTick(context, toStage(at), this.#shown.colors.get(region.class_id) ?? "#808080");
    }
  }
}

/** What was put on top of what is painted; null if more has changed. */
function addedOnTop(before: ShownRegions, now: ShownRegions): readonly Region[] | null {
  if (!sameLook(before, now)) return null;
  if (now.regions.length < before.regions.length) return null;
  const is_same = before.regions.every((region, i) => {
    const other = now.regions[i];
    return other?.geometry === region.geometry && other?.class_id === region.class_id;
  });
  return is_same ? now.regions.slice(before.regions.length) : null;
}

/** null where there is nothing. */
function around(regions: readonly Region[]): Bounds | null {
  const all = regions.flatMap((region) => shapeOf(region) ?? []).map(boundsOf);
  if (all.length === 0) return null;
  return {
    left: Math.min(...all.map(({ left }) => left)),
    top: Math.min(...all.map(({ top }) => top)),
    right: Math.max(...all.map(({ right }) => right)),
    bottom: Math.max(...all.map(({ bottom }) => bottom)),
  };
}

function sameLook(a: ShownRegions, b: ShownRegions): boolean {
  return a.hidden === b.hidden && a.fill === b.fill && a.hatch === b.hatch && sameColors(a.colors, b.colors);
}

function sameColors(a: ReadonlyMap<number, string>, b: ReadonlyMap<number, string>): boolean {
  return a === b || (a.size === b.size && [...a].every(([id, color]) => b.get(id) === color));
}

function paintTick(context: CanvasRenderingContext2D, [x, y]: Vec2, color: string): void {
  context.beginPath();
  context.arc(x, y, SIGN_RADIUS_PX, 0, 2 * Math.PI);
  context.fillStyle = "#ffffff";
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = color;
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3, y + 0.2);
  context.lineTo(x - 0.8, y + 2.6);
  context.lineTo(x + 3.2, y - 2.4);
  context.lineWidth = 1.8;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "#15181c";
  context.stroke();
}
