import type { AnnotationStore } from "../state/annotations";
import type { Vec2 } from "../state/geometry";
import { PointLineage } from "../state/point_lineage";
import { changedBy, completed, isFromServer, newRegion, NO_REGIONS, shapeOf, type Geometry, type Region, type Shape } from "../state/regions";
import { coversPixel } from "../state/polygons";
import { moved, rounded } from "../state/shapes";
import type { Readable } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import { isEmpty, NOTHING_SELECTED, type Correction, type Selection, type ToolState } from "../state/tools";
import type { Annotation, Draft, LabelClass, Point } from "../state/types";
import type { Size } from "../state/viewport";
import type { Api } from "../api/client";
import type { Labelling } from "./labelling";
import type { LeftImage } from "./on_screen";
import type { PredictionWatch } from "./prediction_watch";

/** What messages call them. */
const NAMES: Readonly<Record<Region["kind"] | "eraser", string>> = {
  stroke: "Brush stroke", polygon: "Polygon", box: "Box", mask: "Mask", eraser: "Eraser stroke",
}; // prettier-ignore

/** Saves points, and regions if any was changed; whatever the server left out of its answer is filled in. */
export async function putWithRegions(api: Api, image_id: number, draft: Draft, revision: number | null): Promise<Annotation> {
  const sent = draft.kind === "points" ? (draft.regions ?? null) : null;
  const stay = sent === null || isFromServer(sent);
  const answer = await api.putAnnotation(image_id, draft, revision, stay);
  const regions = completed(answer.regions ?? NO_REGIONS, sent ?? NO_REGIONS);
  return regions === null ? api.annotation(image_id) : { ...answer, regions };
}

/**
 * What a person does to points and regions with the tools. Each is one step for undo and saves itself. `left`: it is done
 * to that image, which was still on screen, not to the open one.
 */
export class RegionWork {
  readonly #lineage = new PointLineage();

  constructor(
    private readonly annotations: AnnotationStore,
    private readonly labelling: Labelling,
    private readonly tools: ToolState,
    private readonly classes: Readable<readonly LabelClass[]>,
    private readonly predictions: PredictionWatch,
    private readonly toasts: ToastStore,
  ) {
    let image_id = annotations.image_id.value;
    annotations.onChange((change) => {
      if (change.image_id !== image_id) {
        tools.clear();
        this.#lineage.clear();
      } else tools.rename(change.renamed);
      image_id = change.image_id;
      this.#followPoints(change.before.points);
    });
  }

  /** Whether a region can be drawn; the person is told if not. */
  canPaint(): boolean {
    if (this.labelling.isUnusable()) return false;
    if (this.labelling.selected_class_id.value !== null) return true;
    this.toasts.show("warning", "There is no class yet: add one first.");
    return false;
  }

  canErase(left: LeftImage | null = null): boolean {
    const regions = left === null ? this.annotations.regions : this.labelling.late.now(left).regions;
    if (regions !== undefined && regions.length > 0) return true;
    this.toasts.show("info", "Nothing is painted here. To correct the prediction, paint over it or press Y.");
    return false;
  }

  paint(shape: Shape, class_id = this.labelling.selected_class_id.value, left: LeftImage | null = null): void {
    if (class_id !== null) this.#add(newRegion(shape, class_id), left);
  }

  erase(shape: Shape, left: LeftImage | null = null): void {
    this.#add(newRegion(shape, null), left);
  }

  /** `size`: of the image, where it is known. */
  reshape(region: Region, geometry: Geometry, size: Size | null): void {
    if ("rings" in geometry && !coversPixel(geometry, size ?? { width: Infinity, height: Infinity })) {
      this.toasts.show("info", "Nothing would be left of the polygon: it stays as it was. To remove it, press Delete.");
      return;
    }
    const regions = this.annotations.regions.map((other) => (other.id === region.id ? changedBy(other, { geometry }) : other));
    this.annotations.edit({ regions });
  }

  /** Everything that is selected, by so much. */
  moveSelected(by: Vec2): void {
    const { points, regions } = this.#selected();
    if (points.size + regions.size === 0) return;
    this.annotations.edit({
      points: this.#changed((point, i) => (points.has(i) ? movedPoint(point, by) : point)),
      regions: this.annotations.regions.map((region) => {
        const shape = regions.has(region.id) ? shapeOf(region) : null;
        return shape === null ? region : changedBy(region, { geometry: moved(shape, by) });
      }),
    });
  }

  removeSelected(): void {
    const { points, regions } = this.#selected();
    if (points.size + regions.size === 0) {
      this.toasts.show("info", "Nothing is selected. Click a point or a region first.");
      return;
    }
    this.tools.selection.set(NOTHING_SELECTED);
    this.annotations.edit({
      points: this.annotations.current.value.points.filter((_, i) => !points.has(i)),
      regions: this.annotations.regions.filter(({ id }) => !regions.has(id)),
    });
  }

  remove(region_id: number): void {
    this.annotations.edit({ regions: this.annotations.regions.filter(({ id }) => id !== region_id) });
  }

  /** False if nothing is selected. */
  setClassOfSelected(class_id: number): boolean {
    const { points, regions } = this.#selected();
    if (points.size + regions.size === 0) return false;
    this.annotations.edit({
      points: this.#changed((point, i) =>
        points.has(i) && point.class_id !== class_id ? { ...point, id: null, class_id, origin: "human" } : point,
      ),
      regions: this.annotations.regions.map((region) =>
        regions.has(region.id) && region.class_id !== null && region.class_id !== class_id ? changedBy(region, { class_id }) : region,
      ),
    });
    return true;
  }

  selectAll(): void {
    const points = this.annotations.current.value.points.map((_, i) => i);
    const regions = this.annotations.regions.filter(({ id }) => !this.tools.hidden.value.has(id)).map(({ id }) => id);
    this.tools.tool.set("select");
    this.tools.selection.set({ points, regions });
  }

  /** The class that an erased region gets: the other one of two, else the chosen one. */
  otherClass(class_id: number): number | null {
    const others = this.classes.value.filter(({ id }) => id !== class_id);
    if (others.length === 1) return others[0]?.id ?? null;
    const chosen = this.labelling.selected_class_id.value;
    return chosen === class_id ? null : chosen;
  }

  /** `predicted`: the class there, as far as it is known. */
  async correct(at: Vec2, correction: Correction, predicted: number | null, left: LeftImage | null = null): Promise<void> {
    if (left === null && this.labelling.isUnusable()) return;
    const shown = left === null ? this.predictions.shown.value : left.prediction;
    if (!shown?.maps.length || shown.image_id !== (left?.image.id ?? this.annotations.image_id.value)) {
      this.toasts.show("info", "There is no prediction to correct yet.");
      return;
    }
    let class_id: number | null = null;
    if (correction === "erase") {
      class_id = predicted === null ? null : this.otherClass(predicted);
      if (class_id === null) {
        this.toasts.show("info", "It is predicted as the chosen class. Choose the class that it is instead.");
        return;
      }
    }
    await this.labelling.acceptRegion({ version: shown.version, at, class_id, fill_holes: correction === "fill" }, left);
  }

  #add(region: Region, left: LeftImage | null): void {
    if (left === null) this.annotations.edit({ regions: [...this.annotations.regions, region] });
    else this.labelling.late.giveRegion(left, NAMES[region.class_id === null ? "eraser" : region.kind], region);
  }

  #selected(): { readonly points: ReadonlySet<number>; readonly regions: ReadonlySet<number> } {
    const { points, regions } = this.tools.selection.value;
    return { points: new Set(points), regions: new Set(regions) };
  }

  /** What a person makes of the points, so that the selection knows them again. */
  #changed(change: (point: Point, i: number) => Point): readonly Point[] {
    const before = this.annotations.current.value.points;
    const after = before.map(change);
    this.#lineage.note(before, after);
    return after;
  }

  /** What is selected stays selected, wherever the list of points has it now; what is gone does not. */
  #followPoints(before_points: readonly Point[]): void {
    const before = this.tools.selection.value;
    if (isEmpty(before)) return;
    const ids = new Set(this.annotations.regions.map(({ id }) => id));
    const after: Selection = {
      points: this.#lineage.follow(before.points, before_points, this.annotations.current.value.points),
      regions: before.regions.filter((id) => ids.has(id)),
    };
    const is_same = after.points.join() === before.points.join() && after.regions.length === before.regions.length;
    if (!is_same) this.tools.selection.set(after);
  }
}

/** A moved point is another one to the server, which knows places. */
function movedPoint(point: Point, [dx, dy]: Vec2): Point {
  const [x, y] = rounded([point.x + dx, point.y + dy]);
  return { ...point, id: null, x, y, origin: "human" };
}
