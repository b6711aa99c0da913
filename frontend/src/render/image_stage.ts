import { clamp, scaleBetween, type Vec2 } from "../state/geometry";
import { nearestPoint } from "../state/annotations";
import type { ShownPrediction } from "../state/prediction";
import type { OverlayStyle } from "../state/preferences";
import type { Annotation, LabelClass, Point } from "../state/types";
import { centred, fit, pan, stageToImage, zoomAt, type Size, type Viewport } from "../state/viewport";
import { drawReduced, putPixels } from "./canvas";
import { paintOverlay } from "./colormap";
import { Gestures } from "./gestures";
import { paintPoints } from "./points_painter";
import type { StageHandlers, StagePicture } from "./stage_types";

/** How near a point must be to be removed by a right click, CSS pixels. */
export const PICK_RADIUS_PX = 12;
/** From this enlargement on, pixels are shown as squares. */
const CRISP_FROM_SCALE = 8;

type Layer = "picture" | "view" | "overlay" | "points" | "marks";

/**
 * The image with overlay and points. Picture and overlay are canvases as large as the image on screen, scaled by the
 * compositor: a pan or a zoom repaints neither. So a fraction of the element `image-canvas` is that fraction of the
 * image at any zoom. All painting is done in one requestAnimationFrame, which also sets the data- marks.
 */
export class ImageStage extends HTMLElement {
  handlers: StageHandlers | null = null;
  readonly #world = document.createElement("div");
  readonly #picture_canvas = document.createElement("canvas");
  readonly #overlay_canvas = document.createElement("canvas");
  readonly #points_canvas = document.createElement("canvas");
  readonly #dirty = new Set<Layer>();
  readonly #observer = new ResizeObserver(() => this.#resized());
  readonly #gestures: Gestures;
  #frame = 0;
  #stage: Size = { width: 1, height: 1 };
  #view: Viewport = { scale: 1, x: 0, y: 0 };
  #is_fitted = true;
  #picture: StagePicture | null = null;
  #annotation: Annotation | null = null;
  #prediction: ShownPrediction | null = null;
  #classes: readonly LabelClass[] = [];
  #style: OverlayStyle = "confidence";
  #opacity = 1;
  #level = -1;
  #pointer: Vec2 | null = null;
  #hovered: Point | null = null;
  #interactive = true;
  #detail_asked = false;

  constructor() {
    super();
    this.#gestures = new Gestures(this, this.#picture_canvas, {
      press: (at) => this.#press(at, (x, y) => this.handlers?.add(x, y)),
      pressSecondary: (at) =>
        this.#press(at, (x, y) => this.handlers?.removeOrAddOther(x, y, PICK_RADIUS_PX / this.#view.scale)),
      pan: (by) => this.#setView((size) => pan(this.#view, by, this.#stage, size)),
      zoom: (factor, anchor) => this.#setView((size) => zoomAt(this.#view, factor, anchor, this.#stage, size)),
      hover: (at) => this.#hover(at),
      leftDragPans: () => !this.#interactive,
    });
  }

  connectedCallback(): void {
    this.#world.className = "stage-world";
    this.#picture_canvas.dataset.testid = "image-canvas";
    this.#picture_canvas.tabIndex = 0;
    this.#picture_canvas.setAttribute("role", "img");
    this.#overlay_canvas.dataset.testid = "overlay";
    this.#overlay_canvas.className = "stage-overlay";
    this.#overlay_canvas.ariaHidden = "true";
    this.#points_canvas.className = "stage-points";
    this.#points_canvas.ariaHidden = "true";
    this.#world.append(this.#picture_canvas, this.#overlay_canvas);
    this.append(this.#world, this.#points_canvas);
    this.#observer.observe(this);
  }

  disconnectedCallback(): void {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  setPicture(picture: StagePicture | null): void {
    const is_other = picture?.image_id !== this.#picture?.image_id;
    this.#picture = picture;
    if (is_other) {
      this.#is_fitted = true;
      this.#detail_asked = false;
      if (picture) this.#view = fit(this.#stage, picture.size);
      this.#invalidate("overlay", "points", "marks");
    }
    this.#level = -1;
    this.#invalidate("picture", "view");
  }

  setAnnotation(annotation: Annotation): void {
    this.#annotation = annotation;
    this.#hovered = null;
    this.#invalidate("points", "marks");
  }

  setPrediction(prediction: ShownPrediction | null): void {
    this.#prediction = prediction;
    this.#invalidate("overlay");
  }

  setClasses(classes: readonly LabelClass[]): void {
    this.#classes = classes;
    this.#invalidate("overlay", "points");
  }

  setStyle(style: OverlayStyle): void {
    if (style === this.#style) return;
    this.#style = style;
    this.#applyOpacity();
    this.#invalidate("overlay");
  }

  setOpacity(opacity: number): void {
    if (opacity === this.#opacity) return;
    this.#opacity = opacity;
    this.#applyOpacity();
    if (this.#style === "contour") this.#invalidate("overlay");
  }

  /** Outlines stay opaque: there the painter thins out what they surround. */
  #applyOpacity(): void {
    this.#overlay_canvas.style.opacity = this.#style === "contour" ? "" : String(this.#opacity);
  }

  setHidden(hidden: boolean): void {
    this.classList.toggle("is-hidden", hidden);
  }

  /** Whether clicks set points; otherwise a left drag moves the image. */
  setInteractive(interactive: boolean, cursor: string): void {
    this.#interactive = interactive;
    this.style.setProperty("--stage-cursor", interactive ? cursor : "grab");
  }

  setSpaceHeld(held: boolean): void {
    this.#gestures.space_held = held;
    this.classList.toggle("is-panning", held);
  }

  fit(): void {
    this.#setView((size) => fit(this.#stage, size));
    this.#is_fitted = true;
  }

  actualSize(): void {
    const scale = 1 / devicePixelRatio;
    const anchor = this.#pointer ?? [this.#stage.width / 2, this.#stage.height / 2];
    this.#setView((size) =>
      this.#pointer ? zoomAt(this.#view, scale / this.#view.scale, anchor, this.#stage, size) : centred(this.#stage, size, scale),
    );
  }

  zoomBy(factor: number): void {
    const anchor: Vec2 = [this.#stage.width / 2, this.#stage.height / 2];
    this.#setView((size) => zoomAt(this.#view, factor, anchor, this.#stage, size));
  }

  /** Image coordinates under the pointer, null when it is elsewhere. */
  get pointerOnImage(): Vec2 | null {
    return this.#pointer ? stageToImage(this.#view, this.#pointer) : null;
  }

  #press(at: Vec2, act: (x: number, y: number) => void): void {
    if (this.#picture === null || !this.#interactive || this.hasAttribute("busy")) return;
    const { width, height } = this.#picture.size;
    const [x, y] = stageToImage(this.#view, at);
    act(clamp(x, 0, width), clamp(y, 0, height));
  }

  #hover(at: Vec2 | null): void {
    this.#pointer = at;
    const points = this.#annotation?.points ?? [];
    const [x, y] = at ? stageToImage(this.#view, at) : [0, 0];
    const hovered = at && this.#interactive ? nearestPoint(points, x, y, PICK_RADIUS_PX / this.#view.scale) : null;
    if (hovered === this.#hovered) return;
    this.#hovered = hovered;
    this.#invalidate("points");
  }

  #setView(change: (size: Size) => Viewport): void {
    if (this.#picture === null) return;
    this.#view = change(this.#picture.size);
    this.#is_fitted = false;
    this.#invalidate("view");
  }

  #resized(): void {
    const { width, height } = this.getBoundingClientRect();
    this.#stage = { width: Math.max(width, 1), height: Math.max(height, 1) };
    if (this.#picture && this.#is_fitted) this.#view = fit(this.#stage, this.#picture.size);
    this.#points_canvas.width = Math.round(this.#stage.width * devicePixelRatio);
    this.#points_canvas.height = Math.round(this.#stage.height * devicePixelRatio);
    // Setting a canvas's size empties it: paint before the browser shows that.
    this.#invalidate("view", "points");
    this.#paint();
  }

  #invalidate(...layers: Layer[]): void {
    for (const layer of layers) this.#dirty.add(layer);
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const dirty = new Set(this.#dirty);
    this.#dirty.clear();
    if (dirty.has("view")) this.#paintView();
    if (dirty.has("picture") || dirty.has("view")) this.#paintPicture();
    if (dirty.has("points") || dirty.has("view")) this.#paintPoints();
    if (dirty.has("marks")) this.#mark();
    if (dirty.has("overlay")) this.#paintOverlay();
  }

  #paintView(): void {
    const { style } = this.#world;
    style.display = this.#picture === null ? "none" : "";
    if (this.#picture === null) return;
    const { scale, x, y } = this.#view;
    const { width, height } = this.#picture.size;
    style.transform = `translate(${x}px, ${y}px)`;
    style.width = `${width * scale}px`;
    style.height = `${height * scale}px`;
    const marks = this.#picture_canvas.dataset;
    marks.scale = String(scale);
    marks.offsetX = "0";
    marks.offsetY = "0";
    this.#picture_canvas.classList.toggle("is-crisp", scale * devicePixelRatio >= CRISP_FROM_SCALE);
    this.handlers?.zoomed(scale * devicePixelRatio);
  }

  /** Paints only when another picture or another level of detail is due. */
  #paintPicture(): void {
    if (this.#picture === null) return;
    const { bitmap, size, image_id } = this.#picture;
    const source = bitmap ?? { width: 1, height: 1 };
    // Along the longer side: across a narrow picture there may be only a rounded pixel or two.
    const [across, down] = scaleBetween(size, source);
    const sharpness = size.width >= size.height ? across : down;
    const needed = Math.min(this.#view.scale * devicePixelRatio, sharpness) / sharpness;
    // Halved as often as the screen allows: the compositor's own reduction is good for less than two.
    const level = Math.max(0, Math.floor(Math.log2(1 / needed)));
    if (bitmap && sharpness < 1 && this.#view.scale * devicePixelRatio > sharpness && !this.#detail_asked) {
      this.#detail_asked = true;
      this.handlers?.needDetail(image_id);
    }
    if (level === this.#level) return;
    this.#level = level;
    drawReduced(this.#picture_canvas, source, bitmap, level);
  }

  #paintPoints(): void {
    const context = this.#points_canvas.getContext("2d");
    if (context === null) return;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    const colors = new Map(this.#classes.map(({ id, color }) => [id, color]));
    const points = this.#picture === null ? [] : (this.#annotation?.points ?? []);
    paintPoints(context, this.#stage, this.#view, points, (id) => colors.get(id) ?? "#808080", this.#hovered);
  }

  #paintOverlay(): void {
    const marks = this.#picture_canvas.dataset;
    const prediction = this.#prediction?.image_id === this.#picture?.image_id ? this.#prediction : null;
    const pixels = prediction
      ? paintOverlay({
          maps: prediction.maps, colors: this.#classes, style: this.#style, refined: prediction.refined, opacity: this.#opacity,
        }) // prettier-ignore
      : null;
    putPixels(this.#overlay_canvas, pixels);
    if (prediction === null) {
      delete marks.predictionRevision;
      delete marks.predictionVersion;
    } else {
      marks.predictionRevision = String(prediction.annotation_revision);
      marks.predictionVersion = String(prediction.version);
    }
  }

  #mark(): void {
    const marks = this.#picture_canvas.dataset;
    if (this.#picture === null) return;
    marks.imageId = String(this.#picture.image_id);
    marks.annotationRevision = String(this.#annotation?.revision ?? 0);
    this.#picture_canvas.setAttribute(
      "aria-label",
      `Image ${this.#picture.image_id}, ${this.#picture.size.width} by ${this.#picture.size.height} pixels, ` +
        `${this.#annotation?.points.length ?? 0} points`,
    );
  }
}

customElements.define("image-stage", ImageStage);

declare global {
  interface HTMLElementTagNameMap {
    "image-stage": ImageStage;
  }
}
