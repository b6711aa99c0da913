import type { Vec2 } from "../state/geometry";
import type { ToneCurve } from "../state/picture_look";
import type { ShownPrediction } from "../state/prediction";
import type { OverlayStyle, Renderer } from "../state/preferences";
import type { Annotation, LabelClass } from "../state/types";
import { Gestures } from "./gestures";
import { KeyPointer } from "./key_pointer";
import { PictureFilter } from "./picture_filter";
import { StagePainter, type Part, type StageScene } from "./stage_painter";
import type { StageHandlers, StagePicture } from "./stage_types";
import { liesOnImage, placeOnImage, StageView, type PlacedImage } from "./stage_view";
import { ToolHost } from "./tool_host";
import type { StageLayer, StageTool } from "./tools";

/**
 * The image with what lies on it. A pan or a zoom moves the picture and the points by the compositor. All painting is
 * done in one requestAnimationFrame.
 */
export class ImageStage extends HTMLElement {
  handlers: StageHandlers | null = null;
  wheel_pans = false;
  readonly #scene: StageScene = {
    picture: null, annotation: null, prediction: null, classes: [], style: "certainty", confidence_class_id: null, only_class_id: null, opacity: 1,
  }; // prettier-ignore
  readonly #view = new StageView(() => this.#invalidate("view"));
  readonly #painter = new StagePainter(this.#scene, {
    needDetail: (image_id) => this.handlers?.needDetail(image_id),
    zoomed: (scale) => this.handlers?.zoomed(scale),
    overlayChanged: () => this.#invalidate("overlay"),
    pointsSettled: () => this.#invalidate("points"),
  });
  readonly #filter = new PictureFilter("picture-look");
  readonly #dirty = new Set<Part>();
  readonly #observer = new ResizeObserver(() => this.#resized());
  readonly #tools: ToolHost;
  readonly #gestures: Gestures;
  /** The cursor of the keyboard. */
  readonly cursor: KeyPointer;
  #frame = 0;
  #pointer: Vec2 | null = null;
  #hovered: PointerEvent | null = null;

  constructor() {
    super();
    this.#tools = new ToolHost({
      at: (event) => this.#at(event),
      imageAt: (at_ms) => this.#imageAt(at_ms),
      leftInput: (pointers, image_id) => this.handlers?.leftInput(pointers, image_id),
      missed: (image_id) => this.handlers?.missed(image_id),
      repaint: () => this.#invalidate("tool"),
    });
    this.cursor = new KeyPointer(this.#view, this.#tools, {
      imageAt: (at_ms) => this.#imageAt(at_ms),
      box: () => this.getBoundingClientRect(),
      changed: () => this.#invalidate("tool"),
      gaveUp: (image_id) => this.handlers?.gaveUp(image_id),
    });
    this.#gestures = new Gestures(this, {
      isOnImage: (event) => this.#isOnImage(event),
      toolDown: (event) => this.#tools.down(event),
      toolDrag: (events) => this.#tools.drag(events),
      toolUp: (event) => this.#tools.up(event),
      toolCancel: () => this.#tools.cancel(),
      pan: (by) => this.#view.pan(by),
      zoom: (factor, anchor) => this.#view.zoom(factor, anchor),
      hover: (event) => {
        this.#hovered = event;
        this.#pointer = event ? this.#at(event) : null;
        if (!this.cursor.isOn) this.#tools.hover(event);
      },
      leftDragPans: () => this.#tools.tool === null,
      touchDraws: () => this.#tools.tool?.draws === true,
      wheelPans: () => this.wheel_pans,
    });
  }

  connectedCallback(): void {
    this.append(this.#filter.element);
    this.#painter.appendTo(this);
    this.append(this.cursor.element);
    this.#observer.observe(this);
    this.#invalidate("overlay");
  }

  disconnectedCallback(): void {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  setPicture(picture: StagePicture | null): void {
    this.#scene.picture = picture;
    this.#painter.picture.set(picture);
    if (this.#view.setImage(picture)) {
      this.#tools.openImage(picture?.image_id ?? null);
      this.#painter.points.invalidate();
      this.#invalidate("overlay", "marks");
    }
    this.#invalidate("picture", "view");
  }

  /** A frame shows it. */
  pictureShown(): void {
    this.cursor.shows();
  }

  /** Another tile is there. */
  tilesArrived(): void {
    this.#painter.picture.invalidate();
    this.#invalidate("picture");
  }

  /** How the picture's tones are shown; nothing else changes. */
  setTones(curve: ToneCurve): void {
    this.#painter.picture.setFilter(this.#filter.set(curve));
  }

  setAnnotation(annotation: Annotation): void {
    if (annotation === this.#scene.annotation) return;
    this.#scene.annotation = annotation;
    this.#invalidate("points", "tool", "marks");
  }

  /** `only_class_id`: everything is predicted as it, because nothing else has labels. */
  setPrediction(prediction: ShownPrediction | null, only_class_id: number | null): void {
    if (prediction === this.#scene.prediction && only_class_id === this.#scene.only_class_id) return;
    this.#scene.prediction = prediction;
    this.#scene.only_class_id = only_class_id;
    this.#invalidate("overlay");
  }

  setClasses(classes: readonly LabelClass[]): void {
    if (classes === this.#scene.classes) return;
    this.#scene.classes = classes;
    this.#painter.points.invalidate();
    this.#invalidate("overlay", "points");
  }

  /** `confidence_class_id`: whose confidence is shown where there are more than two classes. */
  setStyle(style: OverlayStyle, confidence_class_id: number | null): void {
    if (style === this.#scene.style && confidence_class_id === this.#scene.confidence_class_id) return;
    this.#scene.style = style;
    this.#scene.confidence_class_id = confidence_class_id;
    this.#applyOpacity();
    this.#invalidate("overlay");
  }

  setOpacity(opacity: number): void {
    if (opacity === this.#scene.opacity) return;
    this.#scene.opacity = opacity;
    this.#applyOpacity();
    if (this.#scene.style === "contour") this.#invalidate("overlay");
  }

  setRenderer(renderer: Renderer): void {
    this.#painter.overlay.setRenderer(renderer);
  }

  setHidden(hidden: boolean): void {
    this.classList.toggle("is-hidden", hidden);
  }

  /** What the pointer does; without a tool a left drag moves the image. */
  setTool(tool: StageTool | null): void {
    if (tool !== this.#tools.tool) {
      this.#gestures.dropTool();
      this.#tools.set(tool);
      this.cursor.rest();
      // A pointer that rests shows what the new tool would do there.
      if (!this.cursor.isOn && this.#hovered) this.#tools.hover(this.#hovered);
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
    this.#painter.layers.add(layer);
    this.#invalidate("layers");
    return () => {
      this.#painter.layers.delete(layer);
      this.#invalidate("layers");
    };
  }

  repaintLayers(): void {
    this.#invalidate("layers");
  }

  /** The keyboard's cursor is on the image: where it is on, keys are the image's, also for a screen reader. */
  setCursor(is_on: boolean): void {
    if (is_on === this.cursor.isOn) return;
    this.#painter.picture.setInteractive(is_on);
    this.cursor.set(is_on);
  }

  focusImage(): void {
    this.#painter.picture.canvas.focus();
  }

  setSpaceHeld(held: boolean): void {
    this.#gestures.space_held = held;
    this.classList.toggle("is-panning", held);
  }

  fit(): void {
    this.#view.fit();
  }

  actualSize(): void {
    this.#view.actualSize(this.cursor.onStage ?? this.#pointer);
  }

  zoomBy(factor: number): void {
    this.#view.zoom(factor, this.cursor.onStage ?? undefined);
  }

  /** Where the keyboard's cursor, else the pointer, is on the image that was on screen at a time; null when elsewhere, or none was. */
  pointerOnImage(at_ms: number): Vec2 | null {
    if (this.cursor.isOn) return this.cursor.placeOn(at_ms);
    const seen = this.#imageAt(at_ms);
    return this.#pointer && seen ? placeOnImage(seen, this.#pointer) : null;
  }

  /** How many pixels of the image one CSS pixel is long. */
  get pixel(): number {
    return 1 / this.#view.view.scale;
  }

  #imageAt(at_ms: number): PlacedImage | null {
    const image_id = this.handlers?.imageAt(at_ms) ?? null;
    return image_id === null ? null : this.#view.of(image_id);
  }

  /** Of the image that was on screen then: the browser knows of the newest one. */
  #isOnImage(event: PointerEvent): boolean {
    const seen = this.#imageAt(event.timeStamp);
    if (seen === null || seen.image_id === this.#scene.picture?.image_id) return event.target === this.#painter.picture.canvas;
    return liesOnImage(seen, this.#at(event));
  }

  #applyOpacity(): void {
    this.#painter.overlay.setOpacity(this.#scene.style === "contour" ? null : this.#scene.opacity);
  }

  #at(event: Pick<MouseEvent, "clientX" | "clientY">): Vec2 {
    const box = this.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #resized(): void {
    this.#view.resize(this.getBoundingClientRect());
    this.#painter.points.invalidate();
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
    this.#painter.paint(dirty, this.#view.view, this.#view.stage, this.#tools.tool);
    this.cursor.paint(this.#view.view, this.#scene.picture?.size ?? null);
    this.#view.painted();
  }
}

customElements.define("image-stage", ImageStage);

declare global {
  interface HTMLElementTagNameMap {
    "image-stage": ImageStage;
  }
}
