import type { Vec2 } from "../state/geometry";
import type { ToneCurve } from "../state/picture_look";
import type { ShownPrediction } from "../state/prediction";
import type { OverlayStyle, Renderer } from "../state/preferences";
import type { Annotation, LabelClass } from "../state/types";
import { centred, fit, imageToStage, pan, stageToImage, zoomAt, type Size, type Viewport } from "../state/viewport";
import type { OverlayInput } from "./colormap";
import { showCanvas, stageSurface, type Frame } from "./frame";
import { Gestures } from "./gestures";
import { OverlayLayer } from "./overlay_layer";
import { PictureFilter } from "./picture_filter";
import { PictureLayer } from "./picture_layer";
import { PointsLayer } from "./points_layer";
import type { StageHandlers, StagePicture } from "./stage_types";
import { ToolHost } from "./tool_host";
import type { StageLayer, StageTool } from "./tools";

type Part = "picture" | "view" | "overlay" | "layers" | "points" | "tool" | "marks";

/**
 * The image with what lies on it, from below: picture, tiles, prediction, layers (masks), points, tool. A pan or a zoom
 * moves the picture and the points by the compositor. All painting is done in one requestAnimationFrame, which also
 * sets the data- marks.
 */
export class ImageStage extends HTMLElement {
  handlers: StageHandlers | null = null;
  wheel_pans = false;
  readonly #world = document.createElement("div");
  readonly #picture_layer = new PictureLayer((image_id) => this.handlers?.needDetail(image_id));
  readonly #overlay = new OverlayLayer(this.#world, () => this.#invalidate("overlay"));
  readonly #points = new PointsLayer();
  readonly #layers_canvas = document.createElement("canvas");
  readonly #tool_canvas = document.createElement("canvas");
  readonly #filter = new PictureFilter("picture-look");
  readonly #layers = new Set<StageLayer>();
  readonly #dirty = new Set<Part>();
  readonly #observer = new ResizeObserver(() => this.#resized());
  readonly #tools: ToolHost;
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
  #confidence_class_id: number | null = null;
  #opacity = 1;
  #overlay_input: OverlayInput | null = null;
  #pointer: Vec2 | null = null;

  constructor() {
    super();
    this.#tools = new ToolHost({
      toImage: (event) => stageToImage(this.#view, this.#at(event)),
      pixel: () => 1 / this.#view.scale,
      image: () => (this.hasAttribute("busy") ? null : (this.#picture?.size ?? null)),
      repaint: () => this.#invalidate("tool"),
    });
    this.#gestures = new Gestures(this, this.#picture_layer.canvas, {
      toolDown: (event) => this.#tools.down(event),
      toolDrag: (events) => this.#tools.drag(events),
      toolUp: (event) => this.#tools.up(event),
      toolCancel: () => this.#tools.cancel(),
      pan: (by) => this.#setView((size) => pan(this.#view, by, this.#stage, size)),
      zoom: (factor, anchor) => this.#setView((size) => zoomAt(this.#view, factor, anchor, this.#stage, size)),
      hover: (event) => {
        this.#pointer = event ? this.#at(event) : null;
        this.#tools.hover(event);
      },
      leftDragPans: () => this.#tools.tool === null,
      touchDraws: () => this.#tools.tool?.draws === true,
      wheelPans: () => this.wheel_pans,
    });
  }

  connectedCallback(): void {
    this.#world.className = "stage-world";
    for (const [canvas, name] of [[this.#layers_canvas, "stage-layers"], [this.#tool_canvas, "stage-tool"]] as const) {
      canvas.className = name;
      canvas.ariaHidden = "true";
    }
    this.#world.prepend(this.#picture_layer.canvas, this.#picture_layer.detail);
    this.append(this.#filter.element, this.#world, this.#layers_canvas, this.#points.canvas, this.#tool_canvas);
    this.#observer.observe(this);
    this.#invalidate("overlay");
  }

  disconnectedCallback(): void {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  setPicture(picture: StagePicture | null): void {
    const is_other = picture?.image_id !== this.#picture?.image_id;
    this.#picture = picture;
    this.#picture_layer.set(picture);
    if (is_other) {
      this.#tools.cancel();
      this.#is_fitted = true;
      if (picture) this.#view = fit(this.#stage, picture.size);
      this.#points.invalidate();
      this.#invalidate("overlay", "marks");
    }
    this.#invalidate("picture", "view");
  }

  /** Another tile is there. */
  tilesArrived(): void {
    this.#picture_layer.invalidate();
    this.#invalidate("picture");
  }

  /** How the picture's tones are shown; nothing else changes. */
  setTones(curve: ToneCurve): void {
    this.#picture_layer.setFilter(this.#filter.set(curve));
  }

  setAnnotation(annotation: Annotation): void {
    if (annotation === this.#annotation) return;
    this.#annotation = annotation;
    this.#invalidate("points", "tool", "marks");
  }

  setPrediction(prediction: ShownPrediction | null): void {
    if (prediction === this.#prediction) return;
    this.#prediction = prediction;
    this.#invalidate("overlay");
  }

  setClasses(classes: readonly LabelClass[]): void {
    if (classes === this.#classes) return;
    this.#classes = classes;
    this.#points.invalidate();
    this.#invalidate("overlay", "points");
  }

  /** `confidence_class_id`: whose confidence is shown where there are more than two classes. */
  setStyle(style: OverlayStyle, confidence_class_id: number | null): void {
    if (style === this.#style && confidence_class_id === this.#confidence_class_id) return;
    this.#style = style;
    this.#confidence_class_id = confidence_class_id;
    this.#applyOpacity();
    this.#invalidate("overlay");
  }

  setOpacity(opacity: number): void {
    if (opacity === this.#opacity) return;
    this.#opacity = opacity;
    this.#applyOpacity();
    if (this.#style === "contour") this.#invalidate("overlay");
  }

  setRenderer(renderer: Renderer): void {
    this.#overlay.setRenderer(renderer);
  }

  setHidden(hidden: boolean): void {
    this.classList.toggle("is-hidden", hidden);
  }

  /** What the pointer does; without a tool a left drag moves the image. */
  setTool(tool: StageTool | null): void {
    if (tool !== this.#tools.tool) {
      this.#gestures.dropTool();
      this.#tools.set(tool);
    }
    this.style.setProperty("--stage-cursor", tool?.cursor ?? "grab");
  }

  repaintTool(): void {
    this.#invalidate("tool");
  }

  /** Ends what the tool is in the middle of; for Escape. */
  cancelTool(): void {
    this.#gestures.dropTool();
    this.#tools.cancel();
  }

  /** Gives back what takes the layer away. Layers lie in the order in which they came. */
  addLayer(layer: StageLayer): () => void {
    this.#layers.add(layer);
    this.#invalidate("layers");
    return () => {
      this.#layers.delete(layer);
      this.#invalidate("layers");
    };
  }

  repaintLayers(): void {
    this.#invalidate("layers");
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
    const anchor = this.#pointer;
    this.#setView((size) =>
      anchor ? zoomAt(this.#view, scale / this.#view.scale, anchor, this.#stage, size) : centred(this.#stage, size, scale),
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

  /** Where a place of the image is on the page, CSS pixels: for menus beside it. */
  pageAt(xy: Vec2): Vec2 {
    const box = this.getBoundingClientRect();
    const [x, y] = imageToStage(this.#view, xy);
    return [box.left + x, box.top + y];
  }

  #applyOpacity(): void {
    this.#overlay.setOpacity(this.#style === "contour" ? null : this.#opacity);
  }

  #at(event: MouseEvent): Vec2 {
    const box = this.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
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
    this.#points.invalidate();
    // Setting a canvas's size empties it: paint before the browser shows that.
    this.#invalidate("view", "points");
    this.#paint();
  }

  #invalidate(...parts: Part[]): void {
    for (const part of parts) this.#dirty.add(part);
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const dirty = new Set(this.#dirty);
    this.#dirty.clear();
    const moved = dirty.has("view");
    if (moved) this.#place();
    const frame: Frame = {
      view: this.#view, stage: this.#stage, ratio: devicePixelRatio, image: this.#picture?.size ?? { width: 1, height: 1 },
    }; // prettier-ignore
    if (dirty.has("picture") || moved) this.#picture_layer.paint(frame);
    if (dirty.has("points") || moved) this.#paintPoints(frame);
    if (dirty.has("layers") || moved) this.#paintLayers(frame);
    if (dirty.has("tool") || moved) this.#paintTool(frame);
    if (dirty.has("marks")) this.#mark();
    if (dirty.has("overlay")) this.#paintOverlay(frame);
    else if (moved && this.#overlay.follows_view) this.#overlay.paint(this.#overlay_input, frame);
  }

  #place(): void {
    const { style } = this.#world;
    style.display = this.#picture === null ? "none" : "";
    if (this.#picture === null) return;
    const { scale, x, y } = this.#view;
    const { width, height } = this.#picture.size;
    style.transform = `translate(${x}px, ${y}px)`;
    style.width = `${width * scale}px`;
    style.height = `${height * scale}px`;
    const marks = this.#picture_layer.canvas.dataset;
    marks.scale = String(scale);
    marks.offsetX = "0";
    marks.offsetY = "0";
    this.handlers?.zoomed(scale * devicePixelRatio);
  }

  #paintPoints(frame: Frame): void {
    const colors = new Map(this.#classes.map(({ id, color }) => [id, color]));
    const points = this.#picture === null ? [] : (this.#annotation?.points ?? []);
    this.#points.paint(frame, points, (id) => colors.get(id) ?? "#808080");
  }

  #paintLayers(frame: Frame): void {
    const layers = this.#picture === null ? [] : [...this.#layers].filter(({ isEmpty }) => isEmpty !== true);
    if (!showCanvas(this.#layers_canvas, layers.length > 0)) return;
    const surface = stageSurface(this.#layers_canvas, frame);
    if (surface) for (const layer of layers) layer.paint(surface);
  }

  #paintTool(frame: Frame): void {
    const { tool } = this.#tools;
    const has_ink = tool?.paint !== undefined && tool.isEmpty !== true;
    if (!showCanvas(this.#tool_canvas, has_ink && this.#picture !== null)) return;
    const surface = stageSurface(this.#tool_canvas, frame);
    if (surface) tool?.paint?.(surface);
  }

  #paintOverlay(frame: Frame): void {
    const marks = this.#picture_layer.canvas.dataset;
    const prediction = this.#prediction?.image_id === this.#picture?.image_id ? this.#prediction : null;
    this.#overlay_input = prediction
      ? {
          maps: prediction.maps, colors: this.#classes, style: this.#style, refined: prediction.refined,
          opacity: this.#opacity, confidence_class_id: this.#confidence_class_id,
        } // prettier-ignore
      : null;
    this.#overlay.paint(this.#overlay_input, frame);
    if (prediction === null) {
      delete marks.predictionRevision;
      delete marks.predictionVersion;
    } else {
      marks.predictionRevision = String(prediction.annotation_revision);
      marks.predictionVersion = String(prediction.version);
    }
  }

  #mark(): void {
    const { canvas } = this.#picture_layer;
    if (this.#picture === null) return;
    canvas.dataset.imageId = String(this.#picture.image_id);
    canvas.dataset.annotationRevision = String(this.#annotation?.revision ?? 0);
    canvas.setAttribute(
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
