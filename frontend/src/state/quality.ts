/** What GET /stats tells about quality, and the words for it. */

import { counted, grouped } from "./words";

export type Method = "held_out" | "cross_validation";

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface ClassFigures {
  readonly class_id: number;
  readonly support: number;
  readonly predicted: number;
  readonly right: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
  readonly iou: number | null;
}

export interface Confusion {
  readonly class_ids: readonly number[];
  /** Rows are true classes. */
  readonly counts: readonly (readonly number[])[];
}

export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly confidence: number;
  readonly accuracy: number;
}

export interface Calibration {
  readonly bins: readonly ReliabilityBin[];
  readonly expected_error: number;
  readonly brier: number;
  readonly temperature: number;
  readonly expected_error_after: number;
}

export interface Figures {
  readonly one_class: boolean;
  readonly n_samples: number;
  readonly n_images: number;
  readonly unknown: string | null;
  readonly accuracy: Interval | null;
  readonly majority_share: number | null;
  readonly mean_iou: number | null;
  readonly macro_f1: number | null;
  readonly micro_f1?: number | null;
  readonly classes: readonly ClassFigures[];
  readonly confusion: Confusion | null;
  readonly calibration: Calibration | null;
  readonly calibration_unknown: string | null;
  /** Whether the best epoch, of a run or of the adapter, was chosen on images among these. */
  readonly selected_on_these?: boolean;
}

/** For the heads of tables: the same words wherever a class is told of. */
export const FOUND_NAME = "Found";
export const FOUND_TIP = "Recall: of what people labelled as this class, the share that the head predicted as it";
export const PREDICTED_RIGHT_NAME = "Right when predicted";
export const PREDICTED_RIGHT_TIP = "Precision: of what the head predicted as this class, the share that people labelled as it";
export const SELECTED_ON_THESE = "The best epoch was chosen on these images: the figure leans high.";

export interface CurvePoint {
  readonly n_labels: number;
  readonly n_images: number;
  readonly accuracy: Interval;
}

export interface Outlook {
  readonly verdict: "rising" | "flat" | "unclear";
  readonly gain: number;
  readonly margin: number;
  readonly n_images: number;
}

export interface LearningCurve {
  readonly method: Method;
  readonly points: readonly CurvePoint[];
  readonly outlook: Outlook;
}

export interface HistoryPoint {
  readonly at: string;
  readonly n_labels: number;
  readonly n_images: number;
  readonly method: Method | null;
  readonly accuracy: Interval | null;
}

export interface Agreement {
  readonly count: number;
  readonly share: number;
  readonly over_time: readonly { readonly at: string; readonly count: number; readonly share: number }[];
  readonly unprompted: Interval | null;
  readonly unprompted_count: number;
  readonly by_class: readonly { readonly class_id: number; readonly count: number; readonly agreed: number }[];
}

export interface Quality {
  readonly measured_at: string | null;
  readonly is_current: boolean | null;
  readonly n_labels: number | null;
  readonly n_picked_images?: number | null;
  /** The figure to go by; null where there is none. */
  readonly leading: Method | null;
  readonly held_out: Figures | null;
  readonly estimate: Figures | null;
  readonly unknown: string | null;
  readonly curve: LearningCurve | null;
  readonly curve_unknown: string | null;
  readonly history: readonly HistoryPoint[];
  readonly agreement: Agreement | null;
}

export interface Leading {
  readonly method: Method;
  readonly figures: Figures;
  readonly accuracy: Interval;
}

type Figured = Pick<Quality, "leading" | "held_out" | "estimate">;

/** The figure to go by, as the server says; null where too few are labelled. */
export function leading({ leading: method, held_out, estimate }: Figured): Leading | null {
  const figures = method === "held_out" ? held_out : estimate;
  return method === null || !figures?.accuracy ? null : { method, figures, accuracy: figures.accuracy };
}

/** What is told class by class: where there are more samples to tell it from. */
export function detailed(quality: Figured): Leading | null {
  const [held_out, estimate] = [leading({ ...quality, leading: "held_out" }), leading({ ...quality, leading: "cross_validation" })];
  if (held_out === null || estimate === null) return held_out ?? estimate;
  return estimate.figures.n_samples > held_out.figures.n_samples ? estimate : held_out;
}

/** A wider interval says next to nothing: a figure in large letters would say more. `fewclick status` has the same bound (fewclick/percent.py). */
const WIDEST_TOLD = 0.6;

/** Whether the share may stand for itself; where it may not, the interval stands in its place. */
export function isTelling({ low, high }: Interval): boolean {
  return high - low < WIDEST_TOLD;
}

/** A share where it may stand for itself, else what it lies between: "83 %", or "36 to 98 %". */
export function shareOrInterval(accuracy: Interval): string {
  return isTelling(accuracy) ? `${Math.round(accuracy.value * 100)} %` : intervalText(accuracy);
}

/** Which labelled images stand in neither row, and why; "" where there are none. Their number is unknown of older measurements. */
export function pickedText(n_images: number | null | undefined): string {
  if (n_images === 0) return "";
  const number = n_images === null || n_images === undefined ? "images" : counted(n_images, "labelled image");
  return `Not in these rows: ${number} that the model picked (least confident and the like) or that you accepted by its confidence; chosen by what it said, they would make it look worse or better than it is. They train all the same.`;
}

/** "74 to 95 %" */
export function intervalText({ low, high }: Interval): string {
  return `${Math.round(low * 100)} to ${Math.round(high * 100)} %`;
}

/** A sentence on whether more labels would help. */
export function outlookText({ verdict, gain, margin, n_images }: Outlook): string {
  const points = `${(gain * 100).toFixed(1).replace("-", "−")} percentage points, ± ${(margin * 100).toFixed(1)}`;
  switch (verdict) {
    case "rising":
      return `More labels would probably still help: the last doubling brought ${points}.`;
    case "flat":
      return `The curve is flat: the last doubling of the labels brought ${points}.`;
    case "unclear":
      return `Too early to say whether more labels would help: the last doubling brought ${points}, on ${counted(n_images, "image")}.`;
  }
}

/** The same in a line, where figures are a click away; null where it is too early to say. */
export function outlookLine({ verdict }: Outlook): string | null {
  if (verdict === "unclear") return null;
  return verdict === "rising" ? "More labels would probably still help." : "The curve is flat: more labels bring little.";
}

/** What stands after the share: "of 24 held-out samples (9 images) right". */
export function shareText(found: Leading, samples_are_images: boolean): string {
  return `of ${samplesText(found, samples_are_images)} ${found.figures.one_class ? "right" : "with all classes right"}`;
}

/** Why there is no headline yet, and what to do. */
export function unsureText(found: Leading, samples_are_images: boolean): string {
  const { figures: { n_samples, n_images } } = found; // prettier-ignore
  const known = samples_are_images ? counted(n_images, "image") : `${counted(n_samples, "labelled sample")} on ${counted(n_images, "image")}`;
  return `After ${known}, anything from ${intervalText(found.accuracy)} right is possible. Label some more images, and each class on several of them.`;
}

function samplesText({ method, figures: { n_samples, n_images } }: Leading, samples_are_images: boolean): string {
  const held_out = method === "held_out" ? "held-out " : "";
  if (samples_are_images) return counted(n_images, `${held_out}image`);
  return `${counted(n_samples, `${held_out}sample`)} (${counted(n_images, "image")})`;
}

/** The share of a line, with its doubt: "88 % of 40 images right, …; the true share is probably 74 to 95 %." */
export function lineText(found: Leading, samples_are_images: boolean): string {
  if (!isTelling(found.accuracy)) return `Not known yet. ${unsureText(found, samples_are_images)}`;
  return `${shareOrInterval(found.accuracy)} ${basisText(found, samples_are_images)}; the true share is probably ${intervalText(found.accuracy)}.`;
}

/** The same, with how it was found: "of 40 images right, each predicted by a head that had not seen it". */
export function basisText(found: Leading, samples_are_images: boolean): string {
  const share = shareText(found, samples_are_images);
  return found.method === "held_out" ? share : `${share}, each predicted by a head that had not seen it`;
}

/** What calibration means for a person. */
export function calibrationText({ expected_error, temperature, expected_error_after }: Calibration): string {
  const off = `Confidence is off by ${(expected_error * 100).toFixed(1)} percentage points on average`;
  const helps = expected_error_after < 0.9 * expected_error && Math.abs(temperature - 1) > 0.05;
  if (!helps) return `${off}, and no correction of all answers alike (temperature) would mend that.`;
  const leaves = `Corrected by a temperature of ${temperature.toFixed(2)} it would be ${(expected_error_after * 100).toFixed(1)}.`;
  return `${off}: ${temperature > 1 ? "too sure" : "not sure enough"}. ${leaves}`;
}

/** A figure in a sentence: "Of 24 labelled samples on 9 images that the model had not learned from, 21 are predicted right (88 %)." */
export function plainText(method: Method, figures: Figures, noun: "sample" | "image"): string {
  const { accuracy, n_samples, n_images, majority_share, unknown, one_class } = figures;
  const how = method === "held_out" ? "Held-out images" : "All labelled images in turn";
  if (accuracy === null) return `${how}: not known yet${unknown === null ? "" : `: ${unknown}`}.`;
  const what = noun === "image" ? counted(n_images, "labelled image") : `${counted(n_samples, "labelled sample")} on ${counted(n_images, "image")}`;
  const unseen = method === "held_out" ? "held out, from which the model has not learned" : "each tried with a model that had not seen it";
  const right = Math.round(accuracy.value * (noun === "image" ? n_images : n_samples));
  const done = one_class ? (right === 1 ? "is predicted right" : "are predicted right") : right === 1 ? "has all its classes right" : "have all their classes right";
  const told = isTelling(accuracy)
    ? `${Math.round(accuracy.value * 100)} %. The true share is probably ${intervalText(accuracy)}.`
    : `too few to be sure. The true share may be anything from ${intervalText(accuracy)}.`;
  const guess = majority_share === null ? "" : ` Always saying the most frequent class would reach ${Math.round(majority_share * 100)} %.`;
  return `Of ${what}, ${unseen}, ${grouped(right)} ${done}: ${told}${guess}`;
}

/** The class that is missed most often; null where none is told of, or nothing is missed. */
export function weakestText(classes: readonly ClassFigures[], nameOf: (class_id: number) => string): string | null {
  const told = classes.filter(({ recall }) => recall !== null).sort((a, b) => (a.recall ?? 1) - (b.recall ?? 1));
  const [weakest] = told;
  if (weakest === undefined || weakest.recall === null || weakest.right >= weakest.support) return null;
  return `Missed most often: ${nameOf(weakest.class_id)}, of which ${grouped(weakest.right)} of ${grouped(weakest.support)} were found.`;
}

/** What it says of itself, and what came of it. */
export function confidenceText({ bins }: Calibration): string {
  const count = bins.reduce((sum, bin) => sum + bin.count, 0);
  const mean = (of: (bin: ReliabilityBin) => number): number => bins.reduce((sum, bin) => sum + of(bin) * bin.count, 0) / Math.max(1, count);
  const [says, right] = [mean(({ confidence }) => confidence), mean(({ accuracy }) => accuracy)];
  const off = says - right;
  const verdict = Math.abs(off) < 0.03 ? "that fits" : off > 0 ? "it is too sure of itself" : "it could be surer";
  return `Of 100 predictions it expects ${Math.round(says * 100)} to be right, and ${Math.round(right * 100)} are: ${verdict}.`;
}
