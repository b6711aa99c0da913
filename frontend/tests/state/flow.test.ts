import { expect, test } from "vitest";

import { arrivalText, STRATEGY_LINES } from "../../src/state/arrival";
import { saveSign, type SaveReport } from "../../src/state/save_sign";
import type { ImageInfo, LabelClass } from "../../src/state/types";

const CLASSES: readonly LabelClass[] = ["dog", "cat", "cow"].map((name, i) => ({ id: i + 1, name, color: "#000000", group: null }));
const IMAGE: ImageInfo = {
  id: 1, path: "1.png", width: 8, height: 8, status: "unlabeled", features: "ready", failure: null, class_id: null, class_ids: null,
  revision: 0, point_count: 0, uncertainty: 0.25, predicted_class_id: null,
}; // prettier-ignore
const SAVED: SaveReport = { status: "saved", trouble: null, is_kept: true };

test("arrivalText: of what the head was least sure", () => {
  const by_model = { kind: "strategy", strategy: "least_confident" } as const;
  const probabilities = [{ class_id: 1, p: 0.41 }, { class_id: 2, p: 0.54 }, { class_id: 3, p: 0.05 }];
  expect(arrivalText(by_model, IMAGE, CLASSES, probabilities)).toBe("This image: 0.54 cat / 0.41 dog");
  expect(arrivalText(by_model, IMAGE, CLASSES, [])).toBe("This image: 75 % sure");
  expect(arrivalText(by_model, { ...IMAGE, uncertainty: null }, CLASSES, [])).toBe("This image: no prediction yet");
});

test("arrivalText: a random check looks like any other image of its strategy", () => {
  expect(Object.values(STRATEGY_LINES).filter((line) => line.includes("honest figures"))).toHaveLength(2);
  const sure = [{ class_id: 1, p: 0.99 }, { class_id: 2, p: 0.01 }];
  expect(arrivalText({ kind: "strategy", strategy: "least_confident" }, IMAGE, CLASSES, sure)).not.toContain("check");
});

test("saveSign: the worst of all that saves itself", () => {
  const saving: SaveReport = { ...SAVED, status: "saving" };
  const away: SaveReport = { status: "offline", trouble: { kind: "unreachable", reason: "The server does not answer." }, is_kept: true };
  const full: SaveReport = { status: "offline", trouble: { kind: "refused", reason: "the disk is full" }, is_kept: true };
  expect(saveSign([SAVED, SAVED])).toMatchObject({ status: "saved", text: "Saved" });
  expect(saveSign([SAVED, saving])).toMatchObject({ status: "saving", text: "Saving…" });
  expect(saveSign([saving, away])).toMatchObject({ status: "offline", text: "Offline – kept here" });
  expect(saveSign([full, SAVED]).text).toBe("Server cannot save – kept here");
  expect(saveSign([full, SAVED]).title).toContain("the disk is full");
  const refused: SaveReport = { status: "refused", trouble: { kind: "refused", reason: "no class 5" }, is_kept: true };
  expect(saveSign([saving, refused])).toMatchObject({ status: "refused", text: "Refused – kept here" });
  expect(saveSign([refused]).title).toContain("no class 5");
  expect(saveSign([refused, away]).status).toBe("offline");
  expect(saveSign([{ ...away, is_kept: false }]).text).toBe("Offline – keep this page open");
});
