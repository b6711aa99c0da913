import { sameClasses } from "./class_sets";
import { adoptIds, draftOf, heldClasses, placeKey } from "./rebase";
import { Signal } from "./signal";
import type { Annotation, Draft, ImageLabel, Point } from "./types";

/** Who made a change: the person here, the server, or the opening of an image. Only LOCAL changes are saved. */
export type ChangeOrigin = "LOCAL" | "REMOTE" | "SILENT";

export interface AnnotationChange {
  readonly image_id: number;
  readonly origin: ChangeOrigin;
  readonly created: readonly Point[];
  readonly updated: readonly Point[];
  readonly deleted: readonly Point[];
}

export const EMPTY_ANNOTATION: Annotation = {
  revision: 0,
  points: [],
  label: null,
  labels: null,
  skipped: false,
  can_undo: false,
  can_redo: false,
};

/** The annotation of the open image as the person sees it: at once, before the server has it. */
export class AnnotationStore {
  readonly #listeners = new Set<(change: AnnotationChange) => void>();
  /** null while no image is open. */
  readonly image_id = new Signal<number | null>(null);
  /** What is on screen; `revision` is the newest that the server acknowledged. */
  readonly current = new Signal<Annotation>(EMPTY_ANNOTATION);

  onChange(listener: (change: AnnotationChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  open(image_id: number, annotation: Annotation): void {
    this.image_id.set(image_id);
    this.#replace(annotation, "SILENT");
  }

  addPoint(x: number, y: number, class_id: number): void {
    const point: Point = { id: null, x, y, class_id, origin: "human" };
    const { value } = this.current;
    this.#edit({ ...value, points: [...value.points, point] });
  }

  removePoint(point: Point): void {
    const points = this.current.value.points.filter((other) => other !== point);
    if (points.length === this.current.value.points.length) return;
    this.#edit({ ...this.current.value, points });
  }

  /** False when nothing had to change: the label was that already, so there must be no save and no undo step. */
  setLabel(class_id: number | null): boolean {
    const { label } = this.current.value;
    if ((label?.class_id ?? null) === class_id && (label === null || label.origin === "human")) return false;
    const next = class_id === null ? null : humanLabel(class_id);
    this.#edit({ ...this.current.value, label: next });
    return true;
  }

  /** All classes that hold; null takes the answer back. False when nothing had to change. */
  setClasses(class_ids: readonly number[] | null): boolean {
    const { value } = this.current;
    if (sameClasses(heldClasses(value), class_ids)) return false;
    this.#edit(withClasses(value, class_ids));
    return true;
  }

  /**
   * The server's state, whole: after undo, a conflict, a change made elsewhere. `pending` is what was done here since.
   * One that is older than what is shown has been overtaken on its way.
   */
  receive(image_id: number, annotation: Annotation, pending: Draft | null = null): void {
    if (image_id !== this.image_id.value || annotation.revision < this.current.value.revision) return;
    this.#replace(pending === null ? annotation : withDraft(annotation, pending), "REMOTE");
  }

  /**
   * The server acknowledged `sent`. If the person has not gone on meanwhile, its answer is the truth; else only the
   * revision and the ids of the points sent are taken over, and what was done since stays.
   */
  acknowledge(image_id: number, sent: Draft, saved: Annotation): void {
    if (image_id !== this.image_id.value) return;
    const here = this.current.value;
    if (saved.revision < here.revision) return;
    if (sameDraft(this.draft(sent.kind), sent)) this.#replace(saved, "REMOTE");
    else this.#replace({ ...here, revision: saved.revision, points: adoptIds(here.points, saved.points) }, "REMOTE");
  }

  /** A save that an earlier visit left waiting: on screen again, without being saved twice. */
  reapply(draft: Draft): void {
    this.#replace(withDraft(this.current.value, draft), "SILENT");
  }

  draft(kind: Draft["kind"]): Draft {
    return draftOf(this.current.value, kind);
  }

  #edit(annotation: Annotation): void {
    this.#replace({ ...annotation, skipped: false, undetermined: false, can_undo: true, can_redo: false }, "LOCAL");
  }

  #replace(annotation: Annotation, origin: ChangeOrigin): void {
    const image_id = this.image_id.value;
    if (image_id === null) return;
    const before = this.current.value;
    this.current.set(annotation);
    const change = { image_id, origin, ...difference(before.points, annotation.points) };
    for (const listener of [...this.#listeners]) listener(change);
  }
}

/** The point nearest to (x, y) within `radius`, image pixels; of equals the one drawn last. */
export function nearestPoint(points: readonly Point[], x: number, y: number, radius: number): Point | null {
  let best: Point | null = null;
  let bestDistance = radius;
  for (const point of points) {
    const distance = Math.hypot(point.x - x, point.y - y);
    if (distance <= bestDistance) {
      best = point;
      bestDistance = distance;
    }
  }
  return best;
}

export function sameDraft(a: Draft, b: Draft): boolean {
  if (a.kind === "label") return b.kind === "label" && a.class_id === b.class_id;
  if (a.kind === "classes") return b.kind === "classes" && sameClasses(a.class_ids, b.class_ids);
  if (b.kind !== "points") return false;
  return a.points.length === b.points.length && a.points.every((point, i) => samePlace(point, b.points[i]));
}

/** Whether the server's state already says what the draft wants. */
export function matches(annotation: Annotation, draft: Draft): boolean {
  if (draft.kind === "label") return (annotation.label?.class_id ?? null) === draft.class_id;
  if (draft.kind === "classes") return sameClasses(heldClasses(annotation), draft.class_ids);
  const places = new Set(annotation.points.map(placeKey));
  return annotation.points.length === draft.points.length && draft.points.every((point) => places.has(placeKey(point)));
}

function humanLabel(class_id: number): ImageLabel {
  return { class_id, origin: "human" };
}

/** The annotation as it will be once the draft is saved. */
function withDraft(annotation: Annotation, draft: Draft): Annotation {
  const after = { ...annotation, skipped: false, undetermined: false, can_undo: true, can_redo: false };
  if (draft.kind === "points") return { ...after, points: draft.points };
  if (draft.kind === "classes") return withClasses(after, draft.class_ids);
  return { ...after, label: draft.class_id === null ? null : humanLabel(draft.class_id) };
}

/** Classes that stay keep who said so. */
function withClasses(annotation: Annotation, class_ids: readonly number[] | null): Annotation {
  const known = new Map(annotation.labels?.map((label) => [label.class_id, label]));
  return { ...annotation, labels: class_ids?.map((class_id) => known.get(class_id) ?? humanLabel(class_id)) ?? null };
}

function difference(
  before: readonly Point[],
  after: readonly Point[],
): Pick<AnnotationChange, "created" | "updated" | "deleted"> {
  const old = new Map(before.map((point) => [placeKey(point), point]));
  const now = new Map(after.map((point) => [placeKey(point), point]));
  return {
    created: after.filter((point) => !old.has(placeKey(point))),
    deleted: before.filter((point) => !now.has(placeKey(point))),
    updated: after.filter((point) => {
      const was = old.get(placeKey(point));
      return was !== undefined && (was.id !== point.id || was.origin !== point.origin);
    }),
  };
}

function samePlace(a: Point, b: Point | undefined): boolean {
  return b !== undefined && placeKey(a) === placeKey(b);
}
