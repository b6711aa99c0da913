import type { ShownPrediction } from "../state/prediction";
import type { OverlayStyle } from "../state/preferences";
import type { Annotation, LabelClass } from "../state/types";
import type { Size, Viewport } from "../state/viewport";
import type { OverlayInput } from "./colormap";
import { showCanvas, stageSurface, type Frame } from "./frame";
import { OverlayLayer } from "./overlay_layer";
import { PictureLayer } from "./picture_layer";
import { PointsLayer } from "./points_layer";
import type { StagePicture } from "./stage_types";
import type { StageLayer, StageTool } from "./tools";

export type Part = "picture" | "view" | "overlay" | "layers" | "points" | "tool" | "marks";

/** What is to be seen on the stage. */
export interface StageScene {
  picture: StagePicture | null;
  annotation: Annotation | null;
  prediction: ShownPrediction | null;
  classes: readonly LabelClass[];
  style: OverlayStyle;
  /** Whose confidence is shown where there are more than two classes. */
  confidence_class_id: number | null;
  /** The one class that has labels; null where the head can tell classes apart. */
  only_class_id: number | null;
  opacity: number;
}

export interface PainterHandlers {
  needDetail(image_id: number): void;
  /** Pixels of the screen per pixel of the image. */
  zoomed(scale: number): void;
  /** The overlay has other pixels to paint. */
  overlayChanged(): void;
  /** The points are to be painted together. */
  pointsSettled(): void;
}

/** Paints what has changed of the scene, from below: picture, tiles, prediction, layers, points, tool; sets the data- marks. */
export class StagePainter {
  readonly picture: PictureLayer;
  readonly overlay: OverlayLayer;
  readonly points: PointsLayer;
  readonly layers = new Set<StageLayer>();
  /** What moves with the image, by the compositor. */
  readonly #world = document.createElement("div");
  readonly #layers_canvas = document.createElement("canvas");
  readonly #tool_canvas = document.createElement("canvas");
  #overlay_input: OverlayInput | null = null;

  constructor(
    private readonly scene: Readonly<StageScene>,
    private readonly handlers: PainterHandlers,
  ) {
    this.picture = new PictureLayer((image_id) => handlers.needDetail(image_id));
    this.overlay = new OverlayLayer(this.#world, () => handlers.overlayChanged());
    this.points = new PointsLayer(() => handlers.pointsSettled());
  }

  appendTo(stage: HTMLElement): void {
    this.#world.className = "stage-world";
    for (const [canvas, name] of [[this.#layers_canvas, "stage-layers"], [this.#tool_canvas, "stage-tool"]] as const) {
      canvas.className = name;
      canvas.ariaHidden = "true";
    }
    this.#world.prepend(this.picture.canvas, this.picture.detail);
    stage.append(this.#world, this.#layers_canvas, ...this.points.canvases, this.#tool_canvas);
  }

  paint(dirty: ReadonlySet<Part>, view: Viewport, stage: Size, tool: StageTool | null): void {
    const image = this.scene.picture?.size ?? { width: 1, height: 1 };
    const frame: Frame = { view, stage, ratio: devicePixelRatio, image };
    const moved = dirty.has("view");
    if (moved) this.#place(view);
    if (dirty.has("picture") || moved) this.picture.paint(frame);
    if (dirty.has("points") || moved) this.#paintPoints(frame);
    if (dirty.has("layers") || moved) this.#paintLayers(frame);
    if (dirty.has("tool") || moved) this.#paintTool(frame, tool);
    if (dirty.has("marks")) this.#mark();
    if (dirty.has("overlay")) this.#paintOverlay(frame);
    else if (moved && this.overlay.follows_view) this.overlay.paint(this.#overlay_input, frame);
  }

  #place({ scale, x, y }: Viewport): void {
    const { style } = this.#world;
    const { picture } = this.scene;
    style.display = picture === null ? "none" : "";
    if (picture === null) return;
    style.transform = `translate(${x}px, ${y}px)`;
    style.width = `${picture.size.width * scale}px`;
    style.height = `${picture.size.height * scale}px`;
    const marks = this.picture.canvas.dataset;
    marks.scale = String(scale);
    marks.offsetX = "0";
    marks.offsetY = "0";
    this.handlers.zoomed(scale * devicePixelRatio);
  }

  #paintPoints(frame: Frame): void {
    const { picture, annotation, classes } = this.scene;
    const colors = new Map(classes.map(({ id, color }) => [id, color]));
    const points = picture === null ? [] : (annotation?.points ?? []);
    this.points.paint(frame, points, (id) => colors.get(id) ?? "#808080");
  }

  #paintLayers(frame: Frame): void {
    const layers = this.scene.picture === null ? [] : [...this.layers].filter(({ isEmpty }) => isEmpty !== true);
    if (!showCanvas(this.#layers_canvas, layers.length > 0)) return;
    const surface = stageSurface(this.#layers_canvas, frame);
    if (surface) for (const layer of layers) layer.paint(surface);
  }

  #paintTool(frame: Frame, tool: StageTool | null): void {
    const has_ink = tool?.paint !== undefined && tool.isEmpty !== true;
    if (!showCanvas(this.#tool_canvas, has_ink && this.scene.picture !== null)) return;
    const surface = stageSurface(this.#tool_canvas, frame);
    if (surface) tool?.paint?.(surface);
  }

  #paintOverlay(frame: Frame): void {
    const { picture, classes, style, opacity, confidence_class_id, only_class_id } = this.scene;
    const marks = this.picture.canvas.dataset;
    const prediction = this.scene.prediction?.image_id === picture?.image_id ? this.scene.prediction : null;
    this.#overlay_input = prediction
      ? { maps: prediction.maps, colors: classes, style, refined: prediction.refined, opacity, confidence_class_id, only_class_id }
      : null;
    this.overlay.paint(this.#overlay_input, frame);
    if (prediction === null) {
      delete marks.predictionRevision;
      delete marks.predictionVersion;
    } else {
      marks.predictionRevision = String(prediction.annotation_revision);
      marks.predictionVersion = String(prediction.version);
    }
  }

  #mark(): void {
    const { picture, annotation } = this.scene;
    if (picture === null) return;
    const { canvas } = this.picture;
    canvas.dataset.imageId = String(picture.image_id);
    canvas.dataset.annotationRevision = String(annotation?.revision ?? 0);
    const { width, height } = picture.size;
    const count = annotation?.points.length ?? 0;
    const points = count === 0 ? "" : `, ${count} point${count === 1 ? "" : "s"}`;
    canvas.setAttribute("aria-label", `Image ${picture.image_id}, ${width} by ${height} pixels${points}`);
  }
}
