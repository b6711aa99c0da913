import { expect, test } from "vitest";

import type { Training } from "../../src/state/types";
import { heldOutBasis, trainingLine } from "../../src/pages/labeling/components/text";

test("heldOutBasis: what was held out, in the singular too", () => {
  expect(heldOutBasis({ value: 0.58, samples: 24, images: 3 }, "segmentation")).toBe("right on 24 held-out points (3 images)");
  expect(heldOutBasis({ value: 1, samples: 1, images: 1 }, "segmentation")).toBe("right on 1 held-out point (1 image)");
  expect(heldOutBasis({ value: 0.5, samples: 12, images: 12 }, "classification")).toBe("right on 12 held-out images");
  expect(heldOutBasis({ value: 0, samples: 1, images: 1 }, "classification")).toBe("right on 1 held-out image");
});

const FINISHED: Training = {
  state: "FINISHED", run_id: 3, epoch: 58, best_epoch: 50, train_loss: [0.5, 0.4], val_loss: [0.6, 0.5], message: "",
  reason: "early_stop", stop_requested: false,
}; // prettier-ignore

test("trainingLine: a run that could not be checked does not speak of its best epoch", () => {
  expect(trainingLine(FINISHED)).toBe("58 epochs, best 50 (no further improvement)");
  expect(trainingLine({ ...FINISHED, val_loss: [null, null] })).toBe(
    "58 epochs (no further improvement). Too few images are labelled for a held-out check.",
  );
  expect(trainingLine({ ...FINISHED, epoch: 1, best_epoch: 1 })).toBe("1 epoch, best 1 (no further improvement)");
});

test("trainingLine: a run that was stopped before it began", () => {
  const line = trainingLine({ ...FINISHED, epoch: 0, best_epoch: null, train_loss: [], val_loss: [], reason: "stopped" });
  expect(line).toBe("Ended before its first epoch: stopped by you.");
});
