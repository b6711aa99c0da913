/** Regions: parts of an image with a class, and what is done to the list of them. The last one is on top. */
import type { Vec2 } from "./geometry";

export type RegionKind = "stroke" | "polygon" | "box" | "mask";
export type RegionOrigin = "human" | "accepted" | "imported" | "corrected";

export interface StrokeGeometry {
  readonly points: readonly Vec2[];
  readonly radius: number;
}

export interface PolygonGeometry {
  /** A ring in another one is a hole. */
  readonly rings: readonly (readonly Vec2[])[];
}

export interface BoxGeometry {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** COCO's compressed run lengths, down the columns of a rectangle of `size` [height, width]. */
export interface MaskGeometry {
  readonly x: number;
  readonly y: number;
  readonly size: readonly [height: number, width: number];
  readonly counts: string;
}

export type Geometry = StrokeGeometry | PolygonGeometry | BoxGeometry | MaskGeometry;

export interface Region {
  /** Negative until the server has stored it. */
  readonly id: number;
  /** null while the server does not have this geometry. */
  readonly shape_id: number | null;
  readonly kind: RegionKind;
  /** null: an eraser. */
  readonly class_id: number | null;
  readonly origin: RegionOrigin;
  /** null where the server left it out. */
  readonly geometry?: Geometry | null;
}

/** The geometry with its kind, so that one tells the other. */
export type Shape =
  | { readonly kind: "stroke"; readonly geometry: StrokeGeometry }
  | { readonly kind: "polygon"; readonly geometry: PolygonGeometry }
  | { readonly kind: "box"; readonly geometry: BoxGeometry }
  | { readonly kind: "mask"; readonly geometry: MaskGeometry };

export const NO_REGIONS: readonly Region[] = [];

export function shapeOf({ kind, geometry }: Region): Shape | null {
  return geometry ? ({ kind, geometry } as Shape) : null;
}

/** Lists that the server has just as they are: they are never changed, only replaced. */
const from_server = new WeakSet<readonly Region[]>();

export function markFromServer(regions: readonly Region[]): void {
  from_server.add(regions);
}

/** Whether they need not be sent. */
export function isFromServer(regions: readonly Region[]): boolean {
  return from_server.has(regions);
}

let last_local_id = 0;

/** One that a person drew and that the server does not have yet. */
export function newRegion({ kind, geometry }: Shape, class_id: number | null): Region {
  last_local_id -= 1;
  return { id: last_local_id, shape_id: null, kind, class_id, origin: "human", geometry };
}

/** What the server says of origins: whose geometry or class a person changes is corrected by that person. */
export function changedBy(region: Region, change: { readonly geometry?: Geometry; readonly class_id?: number | null }): Region {
  const origin = region.origin === "human" ? "human" : "corrected";
  return { ...region, ...change, origin, shape_id: change.geometry === undefined ? region.shape_id : null };
}

/** Whether two lists say the same to a person. */
export function sameRegions(a: readonly Region[], b: readonly Region[]): boolean {
  return a === b || (a.length === b.length && a.every((region, i) => sameRegion(region, b[i])));
}

/** Whether the server's list says what was sent, though it gave other ids to what was new. */
export function saysTheSame(sent: readonly Region[], saved: readonly Region[]): boolean {
  return sent.length === saved.length && sent.every((region, i) => sameContent(region, saved[i]));
}

/**
 * `here` with the ids that the server gave in `saved` to what was `sent`, in the same order; what was changed since
 * keeps its own geometry.
 */
export function adoptRegionIds(here: readonly Region[], sent: readonly Region[], saved: readonly Region[]): readonly Region[] {
  if (sent.length !== saved.length) return here;
  const places = new Map(sent.map((region, i) => [region.id, i]));
  return here.map((region) => {
    const place = places.get(region.id);
    const [was, is] = place === undefined ? [] : [sent[place], saved[place]];
    if (was === undefined || is === undefined) return region;
    return { ...region, id: is.id, shape_id: was.geometry === region.geometry ? is.shape_id : region.shape_id };
  });
}

/** What was done between `base` and `mine`, done to `theirs` instead. */
export function rebaseRegions(mine: readonly Region[], base: readonly Region[], theirs: readonly Region[]): readonly Region[] {
  if (mine === base) return theirs;
  const [before, now, there] = [byId(base), byId(mine), byId(theirs)];
  const kept = theirs
    .filter(({ id }) => now.has(id) || !before.has(id))
    .map((region) => {
      const [was, is] = [before.get(region.id), now.get(region.id)];
      return was && is && !sameRegion(was, is) ? is : region;
    });
  return [...kept, ...mine.filter(({ id }) => !before.has(id) && !there.has(id))];
}

/** What the server does not know any more is sent as new. */
export function replacingRegions(mine: readonly Region[], current: readonly Region[]): readonly Region[] {
  const there = byId(current);
  return mine.map((region) => {
    const shape = shapeOf(region);
    return there.has(region.id) || shape === null ? region : newRegion(shape, region.class_id);
  });
}

/** `list` with the geometry that `known` has, where the server left it out, and as the same object where it did not. */
export function withKnownGeometry(list: readonly Region[], known: readonly Region[]): readonly Region[] {
  const shapes = new Map<number, Geometry>();
  for (const { shape_id, geometry } of known) if (shape_id !== null && geometry) shapes.set(shape_id, geometry);
  const result = list.map((region) => {
    const geometry = region.shape_id === null ? undefined : shapes.get(region.shape_id);
    return geometry === undefined || geometry === region.geometry ? region : { ...region, geometry };
  });
  return result.some((region, i) => region !== list[i]) ? result : list;
}

/** The answer to `sent`, whose items come back in the same order, with all that the server left out; null: some is missing. */
export function completed(answer: readonly Region[], sent: readonly Region[]): readonly Region[] | null {
  const filled = withKnownGeometry(answer, sent).map((region, i) => {
    const mine = sent[i];
    const is_mine = mine?.kind === region.kind && mine.geometry && (mine.shape_id === null || mine.shape_id === region.shape_id);
    return is_mine ? { ...region, geometry: mine.geometry } : region;
  });
  return filled.every(({ geometry }) => geometry) ? filled : null;
}

function sameRegion(a: Region, b: Region | undefined): boolean {
  if (a.id !== b?.id || a.class_id !== b.class_id) return false;
  return a.geometry === b.geometry || (a.shape_id !== null && a.shape_id === b.shape_id);
}

function sameContent(a: Region, b: Region | undefined): boolean {
  if (a.kind !== b?.kind || a.class_id !== b.class_id) return false;
  if (a.id > 0 && a.id !== b.id) return false;
  return a.shape_id === null ? JSON.stringify(ordered(a)) === JSON.stringify(ordered(b)) : a.shape_id === b.shape_id;
}

/** The server may name the parts of a geometry in another order. */
function ordered({ geometry }: Region): unknown {
  return Object.entries(geometry ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

function byId(regions: readonly Region[]): ReadonlyMap<number, Region> {
  return new Map(regions.map((region) => [region.id, region]));
}
