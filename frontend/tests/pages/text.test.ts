import { expect, test } from "vitest";

import type { ExtractionHealth, Training } from "../../src/state/types";
import { duration, extractionLine, extractionNote, heldOutBasis, outcomeLine, stateWord, trainingLine } from "../../src/pages/labeling/components/text";

test("heldOutBasis: what was held out, in the singular too", () => {
  expect(heldOutBasis({ value: 0.58, samples: 24, images: 3 }, "segmentation")).toBe("of 24 held-out samples (3 images) right");
  expect(heldOutBasis({ value: 1, samples: 1, images: 1 }, "segmentation")).toBe("of 1 held-out sample (1 image) right");
  expect(heldOutBasis({ value: 0.5, samples: 12, images: 12 }, "classification")).toBe("of 12 held-out images right");
  expect(heldOutBasis({ value: 0, samples: 1, images: 1 }, "classification")).toBe("of 1 held-out image right");
});

const FINISHED: Training = {
  state: "FINISHED", kind: "head", run_id: 3, epoch: 58, best_epoch: 50, train_loss: [0.5, 0.4], val_loss: [0.6, 0.5], metrics: {}, message: "",
  reason: "early_stop", stop_requested: false,
}; // prettier-ignore

test("trainingLine: a run that could not be checked does not speak of its best epoch", () => {
  expect(trainingLine(FINISHED)).toBe("58 epochs, best 50 (no further improvement)");
  expect(trainingLine({ ...FINISHED, val_loss: [null, null] })).toBe(
    "58 epochs (no further improvement). Too few images are labelled for a held-out check.",
  );
  expect(trainingLine({ ...FINISHED, epoch: 1, best_epoch: 1 })).toBe("1 epoch, best 1 (no further improvement)");
});

test("outcomeLine: what Save came to, once it is done", () => {
  const message = "The live head goes on predicting: its accuracy on 2 validation images is 0.250, this run's 0.167.";
  expect(outcomeLine({ ...FINISHED, message })).toBe(message);
  expect(outcomeLine({ ...FINISHED, state: "RUNNING", message: "At work." })).toBe("");
  // Fine-tuning tells it in the line itself.
  expect(outcomeLine({ ...FINISHED, kind: "finetune", message })).toBe("");
});

test("trainingLine: labels that changed begin the search for the best epoch anew, and it says so", () => {
  const metrics = { segments: [{ after_epoch: 0 }, { after_epoch: 30 }] };
  expect(trainingLine({ ...FINISHED, metrics })).toBe("58 epochs, best since the labels changed: 50 (no further improvement)");
  const running: Training = { ...FINISHED, state: "RUNNING", epoch: 31, metrics };
  expect(trainingLine({ ...running, best_epoch: 31 })).toBe("Training, epoch 31, best since the labels changed: 31");
  expect(trainingLine({ ...running, best_epoch: null })).toBe("Training, epoch 31, labels changed after 30");
});

test("trainingLine: a run that was stopped before it began", () => {
  const line = trainingLine({ ...FINISHED, epoch: 0, best_epoch: null, train_loss: [], val_loss: [], reason: "stopped" });
  expect(line).toBe("Ended before its first epoch: stopped by you.");
});

const RUNNING: ExtractionHealth = {
  state: "running", total: 10_004, done: 312, failed: 4, pooled_done: 312, rate_images_s: 26.94, eta_s: 359.5, message: null,
}; // prettier-ignore

test("extractionLine: how far, and how long still", () => {
  expect(extractionLine(RUNNING)).toBe("Features 312 of 10,000, about 6 min left");
  expect(extractionLine({ ...RUNNING, eta_s: null })).toBe("Features 312 of 10,000");
  expect(extractionLine({ ...RUNNING, state: "starting", eta_s: null })).toBe("Features 312 of 10,000");
  expect(extractionLine({ ...RUNNING, state: "stopped" })).toBe("Features 312 of 10,000, stopped");
  expect(extractionLine({ ...RUNNING, state: "done" })).toBeNull();
});

test("extractionNote: what is at work, or what to do", () => {
  expect(extractionNote(RUNNING)).toBe("Overview of 312 images. 26.9 images a second. The images you open come first.");
  expect(extractionNote({ ...RUNNING, pooled_done: 10_000, rate_images_s: 0.25 })).toBe(
    "0.25 images a second. The images you open come first.",
  );
  expect(extractionNote({ ...RUNNING, state: "failed", message: "vits16.pth is missing" })).toBe("vits16.pth is missing");
  expect(extractionNote({ ...RUNNING, state: "stopped" })).toContain("fewclick up");
});

test("duration: rounded up", () => {
  expect([1, 60, 61, 3540, 3600, 3601, 6900, 7100].map(duration)).toEqual([
    "1 min", "1 min", "2 min", "59 min", "1 h", "1 h 10 min", "2 h", "2 h",
  ]); // prettier-ignore
});

test("trainingLine: a run that fine-tunes says what it is at, and at its end which features are better", () => {
  const training: Training = { ...FINISHED, kind: "finetune", state: "RUNNING", message: "Epoch 2: image 3 of 15." };
  expect(trainingLine(training)).toBe("Fine-tuning. Epoch 2: image 3 of 15.");
  expect(trainingLine({ ...training, state: "FINISHED", message: "The frozen features stay." })).toBe("The frozen features stay.");
});

test("stateWord: who stops a run reads that it was stopped", () => {
  expect(stateWord(null)).toBe("IDLE");
  expect(stateWord(FINISHED)).toBe("FINISHED");
  expect(stateWord({ ...FINISHED, reason: "stopped" })).toBe("STOPPED");
  expect(stateWord({ ...FINISHED, state: "RUNNING", reason: null })).toBe("RUNNING");
});
