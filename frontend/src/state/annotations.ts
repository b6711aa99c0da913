import { sameClasses } from "./class_sets";
import { adoptIds, asideOf, draftOf, heldClasses, placeKey, regionsWithIds } from "./rebase";
import { markFromServer, NO_REGIONS, sameRegions, saysTheSame, withKnownGeometry, type Region } from "./regions";
import { Signal } from "./signal";
import type { Annotation, Draft, ImageLabel, Point } from "./types";

/** Who made a change: the person here, the server, or the opening of an image. Only LOCAL changes are saved. */
export type ChangeOrigin = "LOCAL" | "REMOTE" | "SILENT";

export interface AnnotationChange {
  readonly image_id: number;
  readonly origin: ChangeOrigin;
  /** What was on screen. */
  readonly before: Annotation;
  readonly created: readonly Point[];
  readonly updated: readonly Point[];
  readonly deleted: readonly Point[];
  /** Ids of regions, where the server gave others. */
  readonly renamed: ReadonlyMap<number, number>;
  /** Whether it is an action of its own, even if the one before is not sent yet. */
  readonly is_step: boolean;
}

export const EMPTY_ANNOTATION: Annotation = {
  revision: 0,
  points: [],
  regions: NO_REGIONS,
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
    markFromServer(this.regions);
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

  get regions(): readonly Region[] {
    return this.current.value.regions ?? NO_REGIONS;
  }

  /** One action on points and regions, however many: one step for undo. False when nothing had to change. */
  edit(changes: { readonly points?: readonly Point[]; readonly regions?: readonly Region[] }): boolean {
    const { value } = this.current;
    const { points = value.points, regions = this.regions } = changes;
    if (points === value.points && sameRegions(regions, this.regions)) return false;
    this.#edit({ ...value, points, regions }, true);
    return true;
  }

  /** False when nothing had to change: the label was that already, so there must be no save and no undo step. */
  setLabel(class_id: number | null): boolean {
    const { label } = this.current.value;
    if ((label?.class_id ?? null) === class_id && (label === null || label.origin === "human")) return false;
    const next = class_id === null ? null : humanLabel(class_id);
    this.#edit({ ...this.current.value, label: next });
    return true;
  }

  /** False when it was that already. */
  setAside(as: "skipped" | "undetermined"): boolean {
    if (this.current.value[as] === true) return false;
    this.#replace(withDraft(this.current.value, { kind: "aside", as }), "LOCAL", true);
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
    if (pending === null) markFromServer(this.regions);
  }

  /**
   * The server acknowledged `sent`. If the person has not gone on meanwhile, its answer is the truth; else only the
   * revision and the ids of the points sent are taken over, and what was done since stays.
   */
  acknowledge(image_id: number, sent: Draft, saved: Annotation, reach: Pick<Annotation, "can_undo" | "can_redo"> | null = null): void {
    if (image_id !== this.image_id.value) return;
    const here = this.current.value;
    if (saved.revision < here.revision) return;
    if (sameDraft(asideOf(here) ?? this.draft(sent.kind), sent)) {
      this.#replace({ ...saved, ...reach }, "REMOTE");
      markFromServer(this.regions);
    } else {
      const regions = regionsWithIds(here.regions ?? NO_REGIONS, sent, saved);
      this.#replace({ ...here, revision: saved.revision, points: adoptIds(here.points, saved.points), regions }, "REMOTE");
    }
  }

  /** A save that an earlier visit left waiting: on screen again, without being saved twice. */
  reapply(draft: Draft, reach: Pick<Annotation, "can_undo" | "can_redo"> | null = null): void {
    this.#replace({ ...withDraft(this.current.value, draft), ...reach }, "SILENT");
  }

  /** An earlier or later state that undo or redo led to, though the server does not know of it yet. */
  travel(state: Annotation): void {
    this.#replace(state, "REMOTE");
  }

  draft(kind: Draft["kind"]): Draft {
    return draftOf(this.current.value, kind);
  }

  #edit(annotation: Annotation, is_step = false): void {
    this.#replace({ ...annotation, skipped: false, undetermined: false, can_undo: true, can_redo: false }, "LOCAL", is_step);
  }

  #replace(annotation: Annotation, origin: ChangeOrigin, is_step = false): void {
    const image_id = this.image_id.value;
    if (image_id === null) return;
    const before = this.current.value;
    // The geometry that is there already is the same object: what was made of it, such as outlines, stays valid.
    const regions = withKnownGeometry(annotation.regions ?? NO_REGIONS, before.regions ?? NO_REGIONS);
    this.current.set(regions === annotation.regions ? annotation : { ...annotation, regions });
    const renamed = renamedIds(before.regions ?? NO_REGIONS, regions);
    const change = { image_id, origin, is_step, renamed, before, ...difference(before.points, annotation.points) };
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
  if (a.kind === "aside") return b.kind === "aside" && a.as === b.as;
  if (a.kind === "classes") return b.kind === "classes" && sameClasses(a.class_ids, b.class_ids);
  if (b.kind !== "points") return false;
  if (a.regions && b.regions && !sameRegions(a.regions, b.regions)) return false;
  return a.points.length === b.points.length && a.points.every((point, i) => samePlace(point, b.points[i]));
}

/** Whether the server's state already says what the draft wants. */
export function matches(annotation: Annotation, draft: Draft): boolean {
  if (draft.kind === "aside") return draft.as === "skipped" ? annotation.skipped : annotation.undetermined === true;
  if (asideOf(annotation) !== null) return false;
  if (draft.kind === "label") return (annotation.label?.class_id ?? null) === draft.class_id;
  if (draft.kind === "classes") return sameClasses(heldClasses(annotation), draft.class_ids);
  if (draft.regions && !saysTheSame(draft.regions, annotation.regions ?? NO_REGIONS)) return false;
  const places = new Set(annotation.points.map(placeKey));
  return annotation.points.length === draft.points.length && draft.points.every((point) => places.has(placeKey(point)));
}

function humanLabel(class_id: number): ImageLabel {
  return { class_id, origin: "human" };
}

/** The annotation as it will be once the draft is saved. */
export function withDraft(annotation: Annotation, draft: Draft): Annotation {
  const after = { ...annotation, skipped: false, undetermined: false, can_undo: true, can_redo: false };
  if (draft.kind === "aside") {
    return { ...after, points: [], regions: NO_REGIONS, label: null, labels: null, [draft.as]: true };
  }
  if (draft.kind === "points") return { ...after, points: draft.points, ...(draft.regions && { regions: draft.regions }) };
  if (draft.kind === "classes") return withClasses(after, draft.class_ids);
  return { ...after, label: draft.class_id === null ? null : humanLabel(draft.class_id) };
}

/** Classes that stay keep who said so. */
function withClasses(annotation: Annotation, class_ids: readonly number[] | null): Annotation {
  const known = new Map(annotation.labels?.map((label) => [label.class_id, label]));
  return { ...annotation, labels: class_ids?.map((class_id) => known.get(class_id) ?? humanLabel(class_id)) ?? null };
}

/** New regions come back in their places. */
function renamedIds(before: readonly Region[], after: readonly Region[]): ReadonlyMap<number, number> {
  const renamed = new Map<number, number>();
  if (before === after || before.length !== after.length) return renamed;
  before.forEach(({ id, kind }, i) => {
    const now = after[i];
    if (id < 0 && now !== undefined && now.id > 0 && now.kind === kind) renamed.set(id, now.id);
  });
  return renamed;
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
