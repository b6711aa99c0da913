import type { ClassProbability, LabelClass } from "./types";

/** 8-bit P(class) on a grid: 255 is certain. Row-major. */
export interface GrayMap {
  readonly width: number;
  readonly height: number;
  readonly values: Uint8Array | Uint8ClampedArray;
}

export interface ClassMap {
  readonly class_id: number;
  readonly map: GrayMap;
}

/** What the page shows of an image's prediction. */
export interface ShownPrediction {
  readonly image_id: number;
  readonly version: number;
  /** The newest revision of this image that it is known to have learned from. */
  readonly annotation_revision: number;
  readonly probabilities: readonly ClassProbability[];
  /** Segmentation: one map per class of the head; for two classes the first class's only. Empty for classification. */
  readonly maps: readonly ClassMap[];
  /** Whether `maps` has the size of the image instead of the grid's. */
  readonly refined: boolean;
}

/** The ids of maps, in order. */
export function idsOf(maps: readonly ClassMap[]): string {
  return maps.map(({ class_id }) => class_id).join();
}

/**
 * Which maps an overlay needs: of two classes the first one's says everything; of more, every one that the head knows.
 * backend/services/prediction_push.py sends the same; tests/backend/services/needed_maps.json holds both to it.
 */
export function neededMaps(classes: readonly LabelClass[], head_class_ids: readonly number[]): number[] {
  const known = classes.filter(({ id }) => head_class_ids.includes(id)).map(({ id }) => id);
  return classes.length === 2 ? known.slice(0, 1) : known;
}

/** Maps that were for the classes `before`, for the classes `now`: the one map of two classes says what the other is. */
export function mapsFor(maps: readonly ClassMap[], before: readonly LabelClass[], now: readonly LabelClass[]): readonly ClassMap[] {
  const [first] = maps;
  const other = first && maps.length === 1 && before.length === 2 ? before.find(({ id }) => id !== first.class_id) : undefined;
  const all = new Map(maps.map((entry) => [entry.class_id, (): ClassMap => entry]));
  if (first && other) all.set(other.id, () => ({ class_id: other.id, map: { ...first.map, values: first.map.values.map((value) => 255 - value) } }));
  return neededMaps(now, [...all.keys()]).flatMap((class_id) => all.get(class_id)?.() ?? []);
}

export interface Bar {
  readonly label_class: LabelClass;
  readonly p: number;
}

/** A bar for every class, the most probable first; classes that the head does not know yet have 0. Ties: by order. */
export function sortedBars(classes: readonly LabelClass[], probabilities: readonly ClassProbability[]): Bar[] {
  const byId = new Map(probabilities.map(({ class_id, p }) => [class_id, p]));
  const bars = classes.map((label_class) => ({ label_class, p: byId.get(label_class.id) ?? 0 }));
  return bars.sort((a, b) => b.p - a.p);
}

/** Classes whose bars are all shown; of more, only the first so many until all are asked for. */
export const FEW_CLASSES = 20;
export const TOP_BARS = 12;

/**
 * The most probable first, as whole percents tell; of equal ones those that stood first before stay first, so that
 * nothing moves for less than can be read.
 */
export function steadyBars(bars: readonly Bar[], before: readonly number[]): Bar[] {
  const places = new Map(before.map((class_id, place) => [class_id, place]));
  const place = ({ label_class }: Bar): number => places.get(label_class.id) ?? before.length;
  return [...bars].sort((a, b) => Math.round(b.p * 100) - Math.round(a.p * 100) || place(a) - place(b));
}

/** Cells looked at for shares: enough for whole percents, whatever the size of the map. */
const SAMPLED_CELLS = 20_000;

/** Share of the image's area where each class is the most likely, 0..1, in the order of `classes`. */
export function areaShares(classes: readonly LabelClass[], maps: readonly ClassMap[]): number[] {
  const first = maps[0];
  if (first === undefined) return classes.map(() => 0);
  const places = maps.map(({ class_id }) => classes.findIndex(({ id }) => id === class_id));
  const other = classes.length === 2 && maps.length === 1 ? 1 - (places[0] ?? 0) : -1;
  const counts = new Array<number>(classes.length).fill(0);
  const { length } = first.map.values;
  const step = Math.max(1, Math.floor(length / SAMPLED_CELLS));
  let sampled = 0;
  for (let i = 0; i < length; i += step) {
    let best = first.map.values[i] ?? 0;
    let place = other >= 0 && best < 128 ? other : (places[0] ?? 0);
    for (let k = 1; k < maps.length; k += 1) {
      const here = maps[k]?.map.values[i] ?? 0;
      if (here > best) [best, place] = [here, places[k] ?? 0];
    }
    counts[place] = (counts[place] ?? 0) + 1;
    sampled += 1;
  }
  return counts.map((count) => count / sampled);
}
