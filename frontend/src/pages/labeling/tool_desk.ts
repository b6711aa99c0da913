import type { App } from "../../app";
import type { ImageStage } from "../../render/image_stage";
import { PICK_RADIUS_PX, PointTool } from "../../render/point_tool";
import { BoxTool } from "../../render/tools/box_tool";
import { BrushTool } from "../../render/tools/brush_tool";
import { CorrectTool } from "../../render/tools/correct_tool";
import { replay, type KeyTool, type ToolKey } from "../../render/tools/key_tool";
import { PolygonTool } from "../../render/tools/polygon_tool";
import { RegionsLayer } from "../../render/tools/regions_layer";
import { SelectTool } from "../../render/tools/select_tool";
import type { ToolPointer } from "../../render/tools";
import { sharedOpacity } from "../../state/opacity";
import { withHolesFilled } from "../../state/predicted_region";
import type { Readable } from "../../state/signal";
import { nextCorrection, type ToolName } from "../../state/tools";
import type { LeftImage } from "../../sync/on_screen";
import { classCursor } from "./cursor";
import { correctionCursor, DOT_CURSOR, ERASER_CURSOR } from "./tool_cursors";
import { NEUTRAL, ToolSight, UNKNOWN } from "./tool_sight";

/** The tools of a segmentation session on the stage: which one has the pointer and the keys, and what it does. */
export class ToolDesk {
  readonly #layer = new RegionsLayer(() => this.stage.repaintLayers());
  readonly #tools: Readonly<Record<Exclude<ToolName, "hand">, KeyTool>>;
  readonly #points: PointTool;
  readonly #correct: CorrectTool;
  readonly #polygon: PolygonTool;
  readonly #remove_layer: () => void;
  #set: KeyTool | null = null;
  #image_id: number | null = null;
  #prediction: unknown = null;
  /** What is drawn belongs to this image, which was still on screen; null: to the open one. */
  #left: LeftImage | null = null;
  readonly #sight: ToolSight;

  constructor(
    private readonly app: App,
    private readonly stage: ImageStage,
  ) {
    const sight = (this.#sight = new ToolSight(app, () => this.#left));
    const changed = (): void => this.stage.repaintTool();
    const drawn = { color: () => sight.chosenColor(), isReady: () => app.regions.canPaint(), changed };
    const cursor = (): string => classCursor(sight.chosenColor());
    this.#correct = new CorrectTool((correction, color) => correctionCursor(correction, color ?? UNKNOWN), {
      correction: () => app.tools.correction.value,
      regionAt: (at) => sight.predictedAt(at),
      taken: (region, correction) => (correction === "fill" ? withHolesFilled(region) : region),
      colorFor: (region, correction) => sight.colorFor(region, correction),
      says: (region, correction) => sight.correctionText(region, correction),
      correct: (at, correction) => void app.regions.correct(at, correction, sight.predictedAt(at)?.class_id ?? null, this.#left),
      changed: () => {
        // The same tool again: its cursor, which tells what is below it.
        if (this.#set === this.#correct) stage.setTool(this.#correct);
        stage.dataset.toolSays = this.#correct.says;
        changed();
      },
    });
    this.#points = new PointTool({
      points: () => app.annotations.current.value.points,
      add: (x, y) => app.labelling.addPoint(x, y, undefined, this.#left),
      removeOrAddOther: (x, y, radius) => app.labelling.removeOrAddOther(x, y, radius, this.#left),
      changed,
    });
    this.#polygon = new PolygonTool(cursor, {
      ...drawn,
      chosenClass: () => app.labelling.selected_class_id.value,
      color: (class_id) => sight.color(sight.presentClass(class_id)),
      polygon: (geometry, class_id) => app.regions.paint({ kind: "polygon", geometry }, sight.presentClass(class_id), this.#left),
      tooSmall: () => app.toasts.show("info", "A polygon needs three corners that are not in one line."),
    });
    this.#tools = {
      points: this.#points,
      select: this.#makeSelect(changed),
      brush: new BrushTool(() => DOT_CURSOR, {
        ...drawn,
        radius: () => app.tools.brush_radius.value,
        stroke: (points, radius) => app.regions.paint({ kind: "stroke", geometry: { points, radius } }, undefined, this.#left),
      }),
      eraser: new BrushTool(() => ERASER_CURSOR, {
        color: () => NEUTRAL,
        isReady: () => app.regions.canErase(this.#left),
        radius: () => app.tools.brush_radius.value,
        stroke: (points, radius) => app.regions.erase({ kind: "stroke", geometry: { points, radius } }, this.#left),
        changed,
      }),
      polygon: this.#polygon,
      box: new BoxTool(cursor, { ...drawn, box: (geometry) => app.regions.paint({ kind: "box", geometry }, undefined, this.#left) }),
      correct: this.#correct,
    };
    this.#remove_layer = stage.addLayer(this.#layer);
    stage.addEventListener("wheel", this.#wheel, { capture: true, passive: false });
    addEventListener("pagehide", this.#finish);
  }

  /** Signals whose change must reach `show`. */
  static watched({ tools }: App): readonly Readable<unknown>[] {
    return [tools.tool, tools.brush_radius, tools.correction, tools.selection, tools.hidden];
  }

  stop(): void {
    this.#remove_layer();
    this.stage.removeEventListener("wheel", this.#wheel, { capture: true });
    removeEventListener("pagehide", this.#finish);
  }

  /** What the signals say, on the stage. */
  show(): void {
    const { tools, annotations, classes, navigator, predictions, preferences } = this.app;
    const image_id = annotations.image_id.value;
    const name = tools.tool.value;
    const usable = navigator.opened.value?.image.features !== "failed";
    const tool = name === "hand" || !usable ? null : this.#tools[name];
    if (this.#set !== tool || this.#image_id !== image_id) this.#set?.finish?.();
    this.#tellOfOpenPolygon(tool, image_id);
    this.#set = tool;
    this.#image_id = image_id;
    if (this.#prediction !== predictions.shown.value) this.#correct.forget();
    this.#prediction = predictions.shown.value;
    this.#points.cursor = classCursor(this.#sight.chosenColor());
    this.stage.setTool(tool);
    if (tool === this.#correct) this.#correct.look();
    this.stage.style.setProperty("--stage-class", this.#sight.chosenColor());
    this.stage.repaintTool();
    const { fill, hatch } = sharedOpacity(preferences.value.overlay_opacity, true);
    const colors = new Map(classes.value.map(({ id, color }) => [id, color]));
    this.#layer.set({ regions: annotations.regions, hidden: tools.hidden.value, colors, fill, hatch });
  }

  /** It is kept where it was begun. */
  #tellOfOpenPolygon(tool: KeyTool | null, image_id: number | null): void {
    const { toasts, tools, navigator, keys } = this.app;
    const left_id = this.#polygon.openImage(image_id);
    const goOn = async (): Promise<void> => {
      if (left_id === null || (await navigator.returnTo(left_id))) tools.tool.set("polygon");
    };
    const action = { action: { text: "Go on with it", run: () => void goOn() } };
    if (left_id !== null) toasts.show("info", `The polygon on image ${left_id} is not closed. It is kept there until you leave the page.`, action);
    else if (this.#set === this.#polygon && tool !== this.#polygon && !this.#polygon.isEmpty) {
      toasts.show("info", `The polygon is not closed. It is kept until you leave the page: ${keys.names("tool-polygon")} goes on with it.`, action);
    }
  }

  /** True if the key belongs to the tool at work, on the image that was on screen. */
  key(key: ToolKey, at_ms: number): boolean {
    const left = this.app.navigator.on_screen.leftAt(at_ms);
    if (left === null) return this.#set?.key?.(key) ?? false;
    return this.#set === this.#polygon && this.#onLeft(left, () => this.#polygon.key(key));
  }

  /** Input for an image that was still on screen when all of it came, though another one was open already. */
  leftInput(pointers: readonly ToolPointer[], image_id: number): void {
    const [first, last] = [pointers[0], pointers.at(-1)];
    const left = this.app.navigator.on_screen.left(image_id);
    const name = this.app.tools.tool.value;
    // What was selected there, and where the last stroke ended, is forgotten.
    const needs_more = name === "select" || (this.hasSize && first?.shift);
    const is_known = left !== null || image_id === this.app.annotations.image_id.value;
    if (needs_more || !is_known) this.missed(image_id);
    else this.#onLeft(left, () => replay(this.#set, first, pointers.slice(1), last));
  }

  /** What was done on the stage counts for no image: the person is told. */
  missed(image_id: number | null): void {
    const why = image_id === null ? "no image was shown yet" : `it began on image ${image_id}, and another image was on its way`;
    this.app.toasts.show("info", `That was left out: ${why}.`);
  }

  /** An open polygon of the image goes on there. */
  #onLeft<T>(left: LeftImage | null, work: () => T): T {
    const open_id = this.#image_id;
    this.#left = left;
    if (left) this.#polygon.openImage(left.image.id);
    try {
      return work();
    } finally {
      this.#left = null;
      if (left) {
        this.#polygon.openImage(open_id);
        this.#set?.finish?.();
      }
    }
  }

  /** Another command comes: what waits is saved first. */
  settle(): void {
    this.#set?.settle?.();
  }

  /** The tool; chosen again, points give way to the hand, and the correcting tool goes on to its next kind. */
  choose(name: ToolName): void {
    const { tool, correction } = this.app.tools;
    if (name === "correct" && tool.value === name) correction.set(nextCorrection(correction.value));
    tool.set(name === "points" && tool.value === name ? "hand" : name);
  }

  /** For what is drawn next, or of what is selected. */
  chooseClass(class_id: number): void {
    const { tools, regions, labelling } = this.app;
    if (tools.tool.value === "select" && regions.setClassOfSelected(class_id)) return;
    labelling.chooseClass(class_id);
    if (tools.tool.value === "polygon") this.#polygon.takeClass(class_id);
    if (["hand", "select", "eraser"].includes(tools.tool.value)) tools.tool.set("points");
  }

  /** Whether the keys for size and opacity mean the size. */
  get hasSize(): boolean {
    return ["brush", "eraser"].includes(this.app.tools.tool.value);
  }

  get openCorners(): number {
    return this.#polygon.cornerCount;
  }

  /** Delete, where the tool has no use for it: the point nearest to the pointer, or within reach of the keyboard's cursor. */
  remove(at_ms = Infinity): void {
    const { tools, labelling, toasts } = this.app;
    const reach = this.stage.cursor.isOn ? PICK_RADIUS_PX * this.stage.pixel : Infinity;
    if (["points", "hand"].includes(tools.tool.value)) {
      const was_there = labelling.removeNearest(this.stage.pointerOnImage(at_ms), at_ms, reach);
      if (!was_there && reach !== Infinity) toasts.show("info", "There is no point at the cursor.");
    }
    else toasts.show("info", "To remove something, select it first (M). To remove a part of it, erase it (R).");
  }

  acceptRegion(at_ms = Infinity): void {
    const at = this.stage.pointerOnImage(at_ms);
    if (at) void this.app.regions.correct(at, "accept", null, this.app.navigator.on_screen.leftAt(at_ms));
    else this.app.toasts.show("info", "Point at the predicted region first.");
  }

  #makeSelect(changed: () => void): SelectTool {
    const { annotations, tools, regions, toasts } = this.app;
    return new SelectTool({
      points: () => annotations.current.value.points,
      regions: () => annotations.regions.filter(({ id }) => !tools.hidden.value.has(id)),
      image: () => this.#sight.imageSize(),
      selection: () => tools.selection.value,
      select: (selection) => tools.selection.set(selection),
      colorOf: (class_id) => (class_id === null ? NEUTRAL : this.#sight.color(class_id)),
      move: (by) => regions.moveSelected(by),
      reshape: (region, geometry) => regions.reshape(region, geometry, this.#sight.imageSize()),
      remove: () => regions.removeSelected(),
      tooFewCorners: () => toasts.show("info", "A polygon keeps three corners. To remove it, press Escape, select it and press Delete."),
      changed,
    });
  }

  readonly #finish = (): void => this.#set?.finish?.();

  readonly #wheel = (event: WheelEvent): void => {
    if (!event.altKey || !this.hasSize || event.deltaY === 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.app.tools.stepBrush(event.deltaY < 0 ? 1 : -1);
  };
}
