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
  /** What its masks say can be chosen. */
  readonly has_masks: boolean;
}

/** What masks say; "": left to the server. */
export type MaskChoice = "" | "annotated" | "predicted" | "merged";

export const MASK_CHOICES: Readonly<Record<MaskChoice, string>> = {
  "": "What you drew; else the prediction",
  merged: "What you drew, the rest predicted",
  annotated: "What you drew, nothing else",
  predicted: "The prediction, nothing else",
};

/** As docs/export.md has them. */
export function exportsFor(task: Task): ExportOffer[] {
  const plain = (format: ExportFormat, name: string, note: string): ExportOffer => ({ id: format, format, name, note, has_masks: false });
  const masks = (format: ExportFormat, name: string, note: string): ExportOffer => ({ ...plain(format, name, note), has_masks: true });
  const json = plain("json", "JSON", "Everything, complete");
  if (task !== "segmentation") {
    return [json, plain("csv", "CSV", "One line an image"), plain("coco", "COCO", "One annotation an image and class")];
  }
  return [
    json,
    plain("csv", "CSV", "One line a point, without regions"),
    masks("png-masks", "PNG masks", "Class indices, with a class map"),
    masks("coco", "COCO", "With run-length masks"),
    { ...masks("coco", "COCO, polygons", "One outline for each part"), id: "coco-polygons", outlines: "polygons" },
    masks("yolo-segment", "YOLO segments", "For Ultralytics, with data.yaml"),
  ];
}

/** Query of GET /api/export. */
export function exportQuery({ format, outlines, has_masks }: ExportOffer, masks: MaskChoice): string {
  const said = [["format", format], ["masks", has_masks ? masks : ""], ["outlines", outlines ?? ""]] as const;
  return said.filter(([, value]) => value !== "").map((pair) => pair.join("=")).join("&");
}
