import { expect, test } from "vitest";

import { BulkHistory, bySight, outcomeText, seenOf, type BulkOutcome } from "../../src/state/bulk";
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
  const step = { what: "labelled", images: [{ id: 1, revision: 1 }], selected: [1] };
  history.did(step);
  expect(history.toUndo).toBe(step);
  history.undid([{ id: 1, revision: 2 }]);
  expect([history.toUndo, history.toRedo?.images]).toEqual([null, [{ id: 1, revision: 2 }]]);
  history.redid([{ id: 1, revision: 3 }]);
  expect(history.toUndo?.images).toEqual([{ id: 1, revision: 3 }]);
  history.undid([]);
  expect([history.toUndo, history.toRedo]).toEqual([null, null]);
});

test("seenOf: revision and prediction that were in sight, or that there was none", () => {
  const image = { id: 4, revision: 3, predicted_class_id: 2 } as ImageInfo;
  expect(seenOf(image)).toEqual({ id: 4, revision: 3, predicted: [2] });
  expect(seenOf({ ...image, predicted_class_ids: [] })).toEqual({ id: 4, revision: 3, predicted: [] });
  expect(seenOf({ ...image, predicted_class_id: null })).toEqual({ id: 4, revision: 3, version: 0 });
});

test("bySight: images of which nobody saw what is predicted come apart", () => {
  const known = new Map([[1, { id: 1, revision: 0, predicted: [2] }], [2, { id: 2, revision: 0, version: 0 }], [3, { id: 3, revision: 4 }]]);
  const { seen, unseen } = bySight([1, 2, 3, 4], (id) => known.get(id) ?? { id });
  expect([seen.map(({ id }) => id), unseen]).toEqual([[1, 2], [3, 4]]);
});
