import { expect, test } from "vitest";

import { BulkHistory, outcomeText, seenPrediction, type BulkOutcome } from "../../src/state/bulk";
import type { ImageInfo } from "../../src/state/types";

const NOTHING: BulkOutcome = { changed: [], unchanged: 0, conflicts: [], refused: [] };

test("outcomeText: how many, and how many not", () => {
  const changed = [{ id: 1, revision: 1 }];
  expect(outcomeText({ ...NOTHING, changed }, "labelled lion")).toBe("1 image labelled lion.");
  expect(outcomeText({ changed, unchanged: 3, conflicts: [2, 4], refused: [5] }, "accepted")).toBe(
    "1 image accepted; 2 had changed meanwhile and were left alone; 3 stayed as they were; 1 cannot be labelled.",
  );
  expect(outcomeText({ ...NOTHING, unchanged: 3 }, "accepted")).toBe("Nothing to change.");
});

test("BulkHistory: a step is undone once, redone once, and forgotten by a new one", () => {
  const history = new BulkHistory();
  const step = { what: "labelled", images: [{ id: 1, revision: 1 }] };
  history.did(step);
  expect(history.toUndo).toBe(step);
  history.undid([{ id: 1, revision: 2 }]);
  expect([history.toUndo, history.toRedo?.images]).toEqual([null, [{ id: 1, revision: 2 }]]);
  history.redid([{ id: 1, revision: 3 }]);
  expect(history.toUndo?.images).toEqual([{ id: 1, revision: 3 }]);
  history.undid([]);
  expect([history.toUndo, history.toRedo]).toEqual([null, null]);
});

test("seenPrediction: what was in sight, of images that were", () => {
  const image = { id: 4, predicted_class_id: 2 } as ImageInfo;
  expect(seenPrediction(4, image)).toEqual({ id: 4, predicted: [2] });
  expect(seenPrediction(4, { ...image, predicted_class_ids: [] })).toEqual({ id: 4, predicted: [] });
  expect(seenPrediction(4, { ...image, predicted_class_id: null })).toEqual({ id: 4 });
  expect(seenPrediction(4, null)).toEqual({ id: 4 });
});
