import type { AcceptedRegion, Api } from "../api/client";
import { nearestPoint, type AnnotationStore } from "../state/annotations";
import type { PreferenceStore } from "../state/preferences";
import { toggled } from "../state/class_sets";
import { asideOf, DRAFT_KINDS, heldClasses } from "../state/rebase";
import { Signal, type Readable } from "../state/signal";
import type { Travel } from "../state/trail";
import type { ToastStore } from "../state/toasts";
import type { Annotation, Draft, LabelClass, Point, Task } from "../state/types";
import { ExtractedPoints } from "./extracted_points";
import { LateAnswers } from "./late_answers";
import type { Navigator } from "./navigator";
import type { LeftImage } from "./on_screen";
import type { PredictionWatch } from "./prediction_watch";
import { SaveOutcomes } from "./save_outcomes";
import type { SaveQueue } from "./save_queue";
import { ServerChanges } from "./server_changes";
import { SettingAside, type Aside } from "./setting_aside";
import { Undoing } from "./undoing";

/** An image that was labelled, and the one that came up by itself. */
interface Advance {
  readonly from: number;
  readonly to: number;
}

/**
 * What a person does to the annotation of the open image. Everything saves itself. Answers count for the image that was
 * on screen at `at_ms`, the time of the key or click, also while the next one is on its way; now, if it is not given.
 * `left` is that image where it is known not to be the open one any more.
 */
export class Labelling {
  readonly selected_class_id = new Signal<number | null>(null);
  /** Undo goes back along these. */
  readonly advances = new Signal<readonly Advance[]>([]);
  /** The open image was changed since it came up. */
  #touched = false;
  /** What became of all this on the server. */
  readonly outcomes: SaveOutcomes;
  readonly late: LateAnswers;
  readonly #changes: ServerChanges;
  readonly #undoing: Undoing;
  readonly #aside: SettingAside;
  readonly extracted: ExtractedPoints;

  constructor(
    private readonly api: Api,
    private readonly task: Readable<Task>,
    private readonly classes: Readable<readonly LabelClass[]>,
    private readonly annotations: AnnotationStore,
    private readonly saves: SaveQueue,
    private readonly navigator: Navigator,
    private readonly predictions: PredictionWatch,
    private readonly preferences: PreferenceStore,
    private readonly toasts: ToastStore,
  ) {
    this.outcomes = new SaveOutcomes(api, classes, annotations, saves, navigator, predictions, toasts);
    this.#changes = new ServerChanges(saves, this.outcomes, toasts);
    this.#undoing = new Undoing(api, annotations, saves, this.#changes, toasts, () => this.#kind);
    this.late = new LateAnswers(saves, this.#changes, navigator, toasts);
    this.#aside = new SettingAside(annotations, navigator, this.late, toasts, () => classes.value, () => this.#undoHere());
    this.extracted = new ExtractedPoints(api, annotations, navigator, predictions, toasts, (left) => this.pointsOf(left), (...change) => this.#onServer(...change));
    annotations.onChange(({ image_id, origin, before, is_step }) => {
      if (origin !== "LOCAL") return;
      this.#touched = true;
      const { value: current } = annotations.current;
      saves.enqueue(image_id, asideOf(current) ?? annotations.draft(this.#kind), current.revision, is_step, before);
    });
    classes.subscribe(() => this.#keepSelectionValid());
  }

  /** A digit or a click on a class: the whole image's class, one of several, or the class of the points to come. */
  chooseClass(class_id: number, at_ms = Infinity): void {
    this.selected_class_id.set(class_id);
    if (this.task.value === "segmentation" || this.navigator.image === null) return;
    const left = this.navigator.on_screen.leftAt(at_ms);
    if (left !== null) {
      this.late.give(left, this.#nameOf(class_id), (now) =>
        this.task.value === "classification" ? { kind: "label", class_id } : this.#toggled(now, class_id));
      return;
    }
    if (this.isUnusable()) return;
    if (this.task.value === "multilabel") {
      this.annotations.setClasses(this.#toggled(this.annotations.current.value, class_id).class_ids);
      return;
    }
    const had = this.annotations.current.value.label;
    const is_leaving = this.navigator.loading.value;
    if (this.annotations.setLabel(class_id) && had !== null && is_leaving) this.late.tell(this.annotations.image_id.value, this.#nameOf(class_id));
    // The way to the next image has begun already.
    if (this.preferences.value.auto_advance && !is_leaving) void this.#goOn(this.annotations.image_id.value);
  }

  /** None of the classes holds: an answer, too. Said again it is taken back. */
  chooseNone(at_ms = Infinity): void {
    if (this.task.value !== "multilabel" || this.navigator.image === null) return;
    const noneOrNothing = (now: Annotation): [] | null => (heldClasses(now)?.length === 0 ? null : []);
    const left = this.navigator.on_screen.leftAt(at_ms);
    if (left !== null) this.late.give(left, "None of the classes", (now) => ({ kind: "classes", class_ids: noneOrNothing(now) }));
    else if (!this.isUnusable()) this.annotations.setClasses(noneOrNothing(this.annotations.current.value));
  }

  addPoint(x: number, y: number, class_id = this.selected_class_id.value, left: LeftImage | null = null): void {
    if (left === null && this.isUnusable()) return;
    if (class_id === null) this.toasts.show("warning", "There is no class yet: add one first.");
    else if (left !== null) this.late.givePoints(left, "Point", (points) => [...points, { id: null, x, y, class_id, origin: "human" }]);
    else this.annotations.addPoint(x, y, class_id);
  }

  /** Right click: removes the nearest point within `radius` image pixels, else, with two classes, adds the other. */
  removeOrAddOther(x: number, y: number, radius: number, left: LeftImage | null = null): void {
    const point = nearestPoint(this.pointsOf(left), x, y, radius);
    if (point) {
      this.#removePoint(point, left);
      return;
    }
    const { value: classes } = this.classes;
    const other = classes.find(({ id }) => id !== this.selected_class_id.value);
    if (classes.length === 2 && other) this.addPoint(x, y, other.id, left);
  }

  /** Of the open image, or of one that was left. */
  pointsOf(left: LeftImage | null): readonly Point[] {
    return (left === null ? this.annotations.current.value : this.late.now(left)).points;
  }

  #removePoint(point: Point, left: LeftImage | null): void {
    if (left === null) this.annotations.removePoint(point);
    else this.late.givePoints(left, "Remove the point", (points) => points.filter((other) => other !== point));
  }

  /** Delete key: the point nearest to the pointer, within `radius` image pixels (false: there is none); what is said of a whole image. */
  removeNearest(at: readonly [number, number] | null, at_ms = Infinity, radius = Infinity): boolean {
    const left = this.navigator.on_screen.leftAt(at_ms);
    if (this.task.value !== "segmentation") {
      const nothing: Draft = this.task.value === "multilabel" ? { kind: "classes", class_ids: null } : { kind: "label", class_id: null };
      if (left !== null) this.late.give(left, "No label", () => nothing);
      else if (this.task.value === "multilabel") this.annotations.setClasses(null);
      else this.annotations.setLabel(null);
      return true;
    }
    const points = this.pointsOf(left);
    const point = at === null ? points.at(-1) : nearestPoint(points, at[0], at[1], radius);
    if (point) this.#removePoint(point, left);
    return Boolean(point);
  }

  /** Whether `undo` has something to undo: here, or on the image from which this one came up by itself. */
  get canUndo(): boolean {
    return this.annotations.current.value.can_undo || this.#labelledBefore() !== null;
  }

  /** What was labelled last, though the next image may have come up since: then back to it. */
  async undo(): Promise<boolean> {
    const before = this.#labelledBefore();
    if (before !== null) {
      if (this.navigator.loading.value || !(await this.navigator.returnTo(before))) return false;
      this.advances.set(this.advances.value.slice(0, -1));
    }
    const image_id = this.annotations.image_id.value;
    const said = this.annotations.current.value;
    const undoing = this.#travel("undo");
    // The answer may take its time: what is done until then counts.
    if (before !== null) this.#touched = false;
    const undone = await undoing;
    if (undone) this.#aside.undone(image_id, said);
    return undone;
  }

  /** Of the open image, wherever undo would lead: it is no longer one that was answered on the way here. */
  async #undoHere(): Promise<boolean> {
    const image_id = this.annotations.image_id.value;
    this.advances.set(this.advances.value.filter(({ from }) => from !== image_id));
    return this.#travel("undo");
  }

  async redo(): Promise<boolean> {
    return this.#travel("redo");
  }

  async #travel(travel: Travel): Promise<boolean> {
    const { value: now } = this.annotations.current;
    if (travel === "undo" ? now.can_undo : now.can_redo) this.#touched = true;
    return this.#undoing.go(travel);
  }

  async skip(at_ms = Infinity): Promise<void> {
    await this.#setAside("skipped", at_ms);
  }

  /** A person has looked and cannot tell: an answer in place of any other. */
  async markUndetermined(at_ms = Infinity): Promise<void> {
    await this.#setAside("undetermined", at_ms);
  }

  async #setAside(as: Aside, at_ms: number): Promise<void> {
    const image_id = this.annotations.image_id.value;
    if (image_id === null) return;
    const left = this.navigator.on_screen.leftAt(at_ms);
    if (left !== null) {
      this.#aside.setLeft(left, as);
      return;
    }
    const is_leaving = this.navigator.loading.value;
    this.#aside.set(as);
    // The way to the next image has begun already.
    if (!is_leaving) await this.#goOn(image_id);
  }

  async extractPoints(at_ms = Infinity): Promise<void> {
    await this.extracted.extract(this.navigator.on_screen.leftAt(at_ms));
  }

  /** The predicted region at a place: as it is, filled, or as another class. */
  async acceptRegion(accepted: AcceptedRegion, left: LeftImage | null = null): Promise<void> {
    await this.#onServer((image_id, revision) => this.api.acceptRegion(image_id, accepted, revision), left, "Predicted region");
  }

  async accept(go_on: boolean, at_ms = Infinity): Promise<void> {
    const { on_screen } = this.navigator;
    if (!on_screen.wasShown(at_ms)) {
      this.late.refuseAccept(on_screen.leftAt(at_ms));
      return;
    }
    const shown = this.predictions.shown.value;
    const image_id = this.annotations.image_id.value;
    // An answer with several classes is made step by step: nothing may come in its place, and Enter is the way on.
    if (this.annotations.current.value.labels !== null) {
      await this.#goOn(image_id);
      return;
    }
    if (image_id === null || shown?.image_id !== image_id) {
      this.toasts.show("info", "There is no prediction to accept yet.");
      return;
    }
    const answer = await this.#onServer((id, revision) => this.api.acceptPrediction(id, shown.version, revision));
    const advance = this.task.value === "classification" && this.preferences.value.auto_advance;
    if (answer !== null && (go_on || advance)) await this.#goOn(image_id);
  }

  #nameOf(class_id: number): string {
    return this.classes.value.find(({ id }) => id === class_id)?.name ?? "";
  }

  #toggled(now: Annotation, class_id: number): { readonly kind: "classes"; readonly class_ids: readonly number[] | null } {
    return { kind: "classes", class_ids: toggled(this.classes.value, heldClasses(now), class_id) };
  }

  get #kind(): Draft["kind"] {
    return DRAFT_KINDS[this.task.value];
  }

  /** To the next image, unless the person has gone elsewhere meanwhile. */
  async #goOn(from_image_id: number | null): Promise<void> {
    if (from_image_id === null || this.annotations.image_id.value !== from_image_id) return;
    await this.navigator.next();
    const to = this.navigator.image?.id;
    if (to === undefined || to === from_image_id) return;
    this.#touched = false;
    this.advances.set([...this.advances.value, { from: from_image_id, to }]);
  }

  /** The image that was labelled just before this one came up, unless this one was changed since. */
  #labelledBefore(): number | null {
    const last = this.advances.value.at(-1);
    if (last?.to !== this.annotations.image_id.value) return null;
    return this.#touched && this.annotations.current.value.can_undo ? null : last.from;
  }

  /** Nothing can be learned from the open image; the person is told. */
  isUnusable(): boolean {
    const { image } = this.navigator;
    if (image?.features !== "failed") return false;
    this.toasts.show("info", `This image cannot be used: ${image.failure ?? "its features failed"}.`);
    return true;
  }

  /** A change that the server makes. null if it was not made. */
  async #onServer(
    run: (image_id: number, revision: number | null) => Promise<Annotation>,
    left: LeftImage | null = null,
    name = "",
  ): Promise<Annotation | null> {
    if (left !== null) return this.late.ask(left, name, (newest) => run(left.image.id, newest));
    const image_id = this.annotations.image_id.value;
    if (image_id === null) return null;
    if (this.saves.status.value !== "offline") this.#touched = true;
    return this.#changes.make(image_id, this.annotations.draft(this.#kind), this.annotations.current.value.revision, (newest) => run(image_id, newest));
  }

  #keepSelectionValid(): void {
    const ids = this.classes.value.map(({ id }) => id);
    const { value } = this.selected_class_id;
    if (value === null || !ids.includes(value)) this.selected_class_id.set(ids[0] ?? null);
  }
}
