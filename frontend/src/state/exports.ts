/** The downloads that a session offers. */

import type { ExportFormat, Task } from "./types";

export interface ExportOffer {
  /** Unlike all others. */
  readonly id: string;
  readonly format: ExportFormat;
  readonly name: string;
  readonly note: string;
  /** coco: how masks are told; left out: as run lengths. */
  readonly outlines?: "polygons";
  /** csv: lines of all images, also of those without a label. */
  readonly scope?: "all";
  /** What its masks say can be chosen. */
  readonly has_masks: boolean;
}

/** What masks say; "" leaves the rest of an image open where anything is drawn on it. */
export type MaskChoice = "merged" | "annotated" | "predicted" | "";

/** The first is chosen until another one is. */
export const MASK_CHOICES: Readonly<Record<MaskChoice, string>> = {
  merged: "What you drew, the rest predicted",
  annotated: "What you drew, nothing else",
  predicted: "The prediction, nothing else",
  "": "What you drew; predicted only where an image has nothing drawn",
};

/** Which images have a mask. */
export type ScopeChoice = "labeled" | "all";

export const SCOPE_CHOICES: Readonly<Record<ScopeChoice, string>> = {
  labeled: "Labelled images",
  all: "All images, also predicted ones",
};

/** As docs/export.md has them. */
export function exportsFor(task: Task): ExportOffer[] {
  const plain = (format: ExportFormat, name: string, note: string): ExportOffer => ({ id: format, format, name, note, has_masks: false });
  const masks = (format: ExportFormat, name: string, note: string): ExportOffer => ({ ...plain(format, name, note), has_masks: true });
  const json = plain("json", "JSON", "Everything, complete");
  if (task !== "segmentation") {
    const all: ExportOffer = { ...plain("csv", "CSV, all images", "One line an image: also without a label, skipped or only commented"), id: "csv-all", scope: "all" };
    return [json, plain("csv", "CSV", "One line a labelled or undetermined image"), all, plain("coco", "COCO", "One annotation an image and class")];
  }
  return [
    json,
    plain("csv", "CSV", "One line a point, without regions"),
    masks("png-masks", "PNG masks", "Class indices, with a class map"),
    masks("coco", "COCO", "With run-length masks"),
    { ...masks("coco", "COCO, polygons", "One outline for each part"), id: "coco-polygons", outlines: "polygons" },
    masks("yolo-segment", "YOLO segments", "For Ultralytics, with the images"),
  ];
}

/** Query of GET /api/export. */
export function exportQuery({ format, outlines, has_masks, scope: own_scope }: ExportOffer, masks: MaskChoice, scope: ScopeChoice): string {
  const [said_masks, said_scope] = has_masks ? [masks, scope === "all" ? scope : ""] : ["", own_scope ?? ""];
  const said = [["format", format], ["masks", said_masks], ["scope", said_scope], ["outlines", outlines ?? ""]] as const;
  return said.filter(([, value]) => value !== "").map((pair) => pair.join("=")).join("&");
}
