/** The downloads that a session offers. */

import type { ExportFormat, Task } from "./types";

export interface ExportOffer {
  readonly format: ExportFormat;
  readonly name: string;
  readonly note: string;
}

/** As docs/export.md has them. */
export function exportsFor(task: Task): ExportOffer[] {
  const masks = task === "segmentation";
  return [
    { format: "json", name: "JSON", note: "Everything, complete" },
    { format: "csv", name: "CSV", note: masks ? "One line a point" : "One line an image" },
    ...(masks ? [{ format: "png-masks", name: "PNG masks", note: "Class indices, with a class map" } as const] : []),
    { format: "coco", name: "COCO", note: masks ? "With run-length masks" : "One annotation an image and class" },
  ];
}
