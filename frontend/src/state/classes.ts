/** What the class editor says of classes. */
import type { Task } from "./types";
import { counted, markedText } from "./words";

/** What is said with one class. */
export interface ClassUsage {
  readonly points: number;
  readonly regions: number;
  /** Of whole images. */
  readonly labels: number;
  readonly images: number;
}

export interface RemovedClass extends ClassUsage {
  readonly id: number;
  readonly name: string;
  readonly color: string;
  readonly removed_at: string;
  /** The class that has its annotations, if it was merged. */
  readonly merged_into?: number | null;
}

/** What became of the annotations of a class that is back. */
export interface RestoredClass {
  readonly annotations_restored: number;
  /** That were changed since a merge, and stay as they are. */
  readonly annotations_changed: number;
}

/** Colours to choose from; they differ for people who are colour-blind, too: in lightness where hue does not tell. */
export const SWATCHES: readonly string[] = [
  "#2F9E44", "#E03131", "#1971C2", "#F08C00", "#9C36B5", "#0C8599", "#C2255C", "#66A80F",
  "#6741D9", "#E8590C", "#099268", "#3B5BDB", "#A61E4D", "#5C940D", "#846358", "#495057",
  "#69C1FC", "#F996A6", "#ADC367", "#E0AE57", "#3ED0C8", "#C3A5F9", "#FFD43B", "#CED4DA",
]; // prettier-ignore

/** "12 points and 3 regions on 4 images", "12 images"; empty where there is nothing. */
export function usageText({ points, regions, labels, images }: ClassUsage, task: Task): string {
  if (task !== "segmentation") return labels > 0 ? counted(images, "image") : "";
  const marked = markedText({ points, regions });
  return marked === "" ? "" : `${marked} on ${counted(images, "image")}`;
}

export function restoredText(name: string, { annotations_restored, annotations_changed }: RestoredClass): string {
  if (annotations_changed === 0) return `Class “${name}” is back, with all that it had.`;
  const changed = annotations_changed === 1 ? "1 that was changed since stays as it is" : `${annotations_changed} that were changed since stay as they are`;
  return `Class “${name}” is back, with ${counted(annotations_restored, "annotation")}; ${changed}.`;
}

/** Why a class cannot be called so, or null. Names differ in more than capitals. */
export function nameProblem(name: string, others: readonly string[]): string | null {
  const wanted = name.trim();
  if (wanted === "") return "A class needs a name.";
  if (wanted.length > 200) return `The name has ${wanted.length} characters: 200 are possible.`;
  const same = others.find((other) => other.toLowerCase() === wanted.toLowerCase());
  return same === undefined ? null : `There is a class “${same}” already.`;
}
