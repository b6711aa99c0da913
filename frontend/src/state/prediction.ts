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
