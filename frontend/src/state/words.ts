/** Numbers with their nouns: one way to say how many, everywhere. Knows no other part of the page. */

/** 10000 -> "10,000" */
export function grouped(count: number): string {
  return count.toLocaleString("en");
}

/** "1 image", "2 images", "10,000 classes"; `plural` where it is more than an added s. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(count)} ${count === 1 ? noun : plural}`;
}

/** What quality is counted in: of whole images their number; else points, and places inside regions. */
export function sampleNoun(task: "segmentation" | "classification" | "multilabel"): "sample" | "image" {
  return task === "segmentation" ? "sample" : "image";
}

/** "12 points and 3 regions"; empty where there is neither. */
export function markedText({ points, regions }: { readonly points: number; readonly regions: number }): string {
  return [points > 0 ? counted(points, "point") : "", regions > 0 ? counted(regions, "region") : ""].filter(Boolean).join(" and ");
}

interface Placed {
  readonly origin?: string;
}

/** What became of the wish for points of the prediction: those of an image before and after. */
export function extractionText(before: readonly Placed[], after: readonly Placed[]): string {
  const extracted = (points: readonly Placed[]): number => points.filter(({ origin }) => origin === "extracted").length;
  const [earlier, count] = [extracted(before), extracted(after)];
  if (count === 0) return "No point extracted: the prediction is nowhere sure enough. Set more points, or accept it as it is.";
  return `${counted(count, "point")} extracted from the prediction${earlier > 0 ? `, ${counted(earlier, "earlier one")} replaced` : ""}.`;
}

/** As one writes it: "there is no image 9" -> "There is no image 9." Names of files and of code stay as they are. */
export function sentence(text: string): string {
  const begun = /^[a-z]+[ ,:]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?…]["”)]?$/.test(begun) ? begun : `${begun}.`;
}
