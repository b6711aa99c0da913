import { expect, test } from "vitest";

import {
  basisText,
  calibrationText,
  confidenceText,
  detailed,
  intervalText,
  isTelling,
  leading,
  lineText,
  outlookLine,
  outlookText,
  plainText,
  shareOrInterval,
  unsureText,
  weakestText,
  type Figures,
  pickedText,
} from "../../src/state/quality";

const ACCURACY = { value: 0.88, low: 0.742, high: 0.951 };
const FIGURES: Figures = {
  one_class: true, n_samples: 24, n_images: 9, unknown: null, accuracy: ACCURACY, majority_share: 0.5, mean_iou: 0.7, macro_f1: 0.8,
  classes: [], confusion: null, calibration: null, calibration_unknown: "too few",
}; // prettier-ignore
const UNKNOWN: Figures = { ...FIGURES, accuracy: null, unknown: "needs more" };
const MANY: Figures = { ...FIGURES, n_samples: 80, n_images: 30 };

test("leading: what the server says, none without a figure", () => {
  expect(leading({ leading: "held_out", held_out: FIGURES, estimate: MANY })?.figures).toBe(FIGURES);
  expect(leading({ leading: "cross_validation", held_out: FIGURES, estimate: MANY })?.figures).toBe(MANY);
  expect(leading({ leading: null, held_out: UNKNOWN, estimate: UNKNOWN })).toBeNull();
  expect(leading({ leading: "held_out", held_out: UNKNOWN, estimate: null })).toBeNull();
});

test("detailed: by the one with more samples", () => {
  expect(detailed({ leading: "held_out", held_out: FIGURES, estimate: MANY })?.method).toBe("cross_validation");
  expect(detailed({ leading: "held_out", held_out: MANY, estimate: FIGURES })?.method).toBe("held_out");
  expect(detailed({ leading: "held_out", held_out: FIGURES, estimate: null })?.method).toBe("held_out");
  expect(detailed({ leading: null, held_out: UNKNOWN, estimate: null })).toBeNull();
});

test("words say the basis and the doubt", () => {
  expect(intervalText(ACCURACY)).toBe("74 to 95 %");
  expect(basisText({ method: "held_out", figures: FIGURES, accuracy: ACCURACY }, false)).toBe("of 24 held-out samples (9 images) right");
  expect(basisText({ method: "held_out", figures: FIGURES, accuracy: ACCURACY }, true)).toBe("of 9 held-out images right");
  const several = { ...FIGURES, one_class: false };
  expect(basisText({ method: "held_out", figures: several, accuracy: ACCURACY }, true)).toBe("of 9 held-out images with all classes right");
  expect(basisText({ method: "cross_validation", figures: FIGURES, accuracy: ACCURACY }, true)).toBe(
    "of 9 images right, each predicted by a head that had not seen it",
  );
});

test("isTelling: no headline whose interval says next to nothing; what is needed is said instead", () => {
  const unsure = { value: 0.33, low: 0.02, high: 0.97 };
  expect([ACCURACY, { ...ACCURACY, low: 0.36 }, unsure].map(isTelling)).toEqual([true, true, false]);
  const text = unsureText({ method: "cross_validation", figures: { ...FIGURES, n_samples: 9, n_images: 3 }, accuracy: unsure }, false);
  expect(text).toBe("After 9 labelled samples on 3 images, anything from 2 to 97 % right is possible. Label some more images, and each class on several of them.");
});

test("a share whose interval says next to nothing: the interval stands in its place wherever it would stand", () => {
  const accuracy = { value: 0.83, low: 0.36, high: 0.98 };
  const figures = { ...FIGURES, n_samples: 24, n_images: 4, accuracy, majority_share: null };
  const found = { method: "cross_validation" as const, figures, accuracy };
  const texts = [shareOrInterval(accuracy), unsureText(found, false), lineText(found, false), plainText("cross_validation", figures, "sample")];
  for (const text of texts) {
    expect(text).toContain("36 to 98 %");
    expect(text).not.toContain("83 %");
  }
  expect([shareOrInterval(ACCURACY), lineText({ method: "held_out", figures: FIGURES, accuracy: ACCURACY }, true)]).toEqual([
    "88 %",
    "88 % of 9 held-out images right; the true share is probably 74 to 95 %.",
  ]);
});

test("outlookLine: a line that fits where outlookText does not; nothing while it is unclear", () => {
  const outlook = { gain: 0.071, margin: 0.03, n_images: 40 };
  for (const verdict of ["rising", "flat", "unclear"] as const) {
    const line = outlookLine({ ...outlook, verdict });
    expect([verdict, line === null, (line ?? "").length < 50]).toEqual([verdict, verdict === "unclear", true]);
  }
});

test("plainText: what was tried, how much of it was right, and what guessing would reach", () => {
  const accuracy = { value: 0.875, low: 0.7, high: 0.95 };
  const figures = { ...FIGURES, n_samples: 24, n_images: 9, accuracy, majority_share: 0.5, one_class: true, unknown: null };
  expect(plainText("held_out", figures, "sample")).toBe(
    "Of 24 labelled samples on 9 images, held out, from which the model has not learned, 21 are predicted right: 88 %. The true share is probably 70 to 95 %. Always saying the most frequent class would reach 50 %.",
  );
  expect(plainText("cross_validation", { ...figures, n_images: 40, majority_share: null }, "image")).toBe(
    "Of 40 labelled images, each tried with a model that had not seen it, 35 are predicted right: 88 %. The true share is probably 70 to 95 %.",
  );
  expect(plainText("held_out", { ...figures, accuracy: null, unknown: "needs 5 images held out, there are 2" }, "image")).toBe(
    "Held-out images: not known yet: needs 5 images held out, there are 2.",
  );
});

test("weakestText: the class that is found least, if any is missed", () => {
  const of = (class_id: number, right: number, support: number) => ({ class_id, right, support, predicted: 9, precision: 1, recall: right / support, f1: 1, iou: 1 });
  const names = (class_id: number): string => ["", "lion", "zebra"][class_id] ?? "";
  expect(weakestText([of(1, 9, 10), of(2, 3, 9)], names)).toBe("Missed most often: zebra, of which 3 of 9 were found.");
  expect([weakestText([of(1, 9, 9)], names), weakestText([], names)]).toEqual([null, null]);
});

test("confidenceText: what it expects of 100, and what comes of them", () => {
  const bins = [{ low: 0.8, high: 0.9, count: 30, confidence: 0.85, accuracy: 0.7 }, { low: 0.9, high: 1, count: 10, confidence: 0.95, accuracy: 1 }];
  const calibration = { bins, expected_error: 0.1, brier: 0.1, temperature: 1, expected_error_after: 0.1 };
  expect(confidenceText(calibration)).toBe("Of 100 predictions it expects 88 to be right, and 78 are: it is too sure of itself.");
});

test("outlookText: rising, flat, unclear", () => {
  const outlook = { gain: 0.071, margin: 0.03, n_images: 40 };
  expect(outlookText({ ...outlook, verdict: "rising" })).toBe(
    "More labels would probably still help: the last doubling brought 7.1 percentage points, ± 3.0.",
  );
  expect(outlookText({ ...outlook, verdict: "flat" })).toContain("flat");
  expect(outlookText({ ...outlook, verdict: "unclear" })).toContain("on 40 images");
});

test("calibrationText: which way the confidence is off", () => {
  const calibration = { bins: [], expected_error: 0.12, brier: 0.2, temperature: 1.8, expected_error_after: 0.03 };
  expect(calibrationText(calibration)).toContain("too sure");
  expect(calibrationText({ ...calibration, temperature: 0.6 })).toContain("not sure enough");
  expect(calibrationText({ ...calibration, expected_error_after: 0.13 })).toContain("no correction of all answers alike (temperature) would mend that");
});

test("pickedText: which images are not counted, and why", () => {
  expect(pickedText(0)).toBe("");
  expect(pickedText(11)).toMatch(/^Not in these rows: 11 labelled images that the model picked .* accepted by its confidence; chosen by what it said/);
  expect(pickedText(null)).toMatch(/^Not in these rows: images that the model picked/);
});
