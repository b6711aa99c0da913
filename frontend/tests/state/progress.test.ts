import { describe, expect, test } from "vitest";

import { answeredOf, doneText, finishLine, hourBars, isAllDone, partsOf, workTime } from "../../src/state/progress";
import type { Pace } from "../../src/state/types";

const PACE: Pace = { images_per_hour: 120, labels_per_hour: 360, active_s: 600, images: 20, remaining: 240, finish_s: 7200 };
const STATUS = { labeled: 3, skipped: 1, undetermined: 0, unlabeled: 4 };

test.each([
  [20, "1 min"],
  [3_540, "59 min"],
  [3_600, "1 h"],
  [3_720, "1 h 2 min"],
  [40_000, "11 h"],
])("workTime: %i s is %s", (seconds, text) => expect(workTime(seconds)).toBe(text));

describe("finishLine", () => {
  test("at a pace", () => expect(finishLine(PACE)).toBe("About 2 h of labelling left for 240 images."));
  test("without one", () => expect(finishLine({ ...PACE, finish_s: null })).toContain("after five images"));
  test("at the end", () => expect(finishLine({ ...PACE, remaining: 0, finish_s: 0 })).toContain("Every image"));
});

test("partsOf: shares, without what there is none of", () => {
  expect(partsOf({ by_status: STATUS }).map(({ name, share }) => [name, share])).toEqual([
    ["Labelled", 3 / 8],
    ["Skipped", 1 / 8],
    ["Open", 4 / 8],
  ]);
});

test("answeredOf: a skip is no answer, undetermined is one", () => {
  expect(answeredOf({ by_status: { ...STATUS, undetermined: 2 } })).toBe(5);
});

test("isAllDone: not while one is open, not without images", () => {
  expect(isAllDone(null)).toBe(false);
  expect(isAllDone({ by_status: STATUS })).toBe(false);
  expect(isAllDone({ by_status: { ...STATUS, unlabeled: 0 } })).toBe(true);
  expect(isAllDone({ by_status: { labeled: 0, skipped: 0, undetermined: 0, unlabeled: 0 } })).toBe(false);
});

test("doneText: names what is no label, and the images that nothing can be said of", () => {
  const by_features = { pending: 0, ready: 4, failed: 0 };
  expect(doneText({ by_status: { ...STATUS, unlabeled: 0 }, by_features })).toBe("3 images labelled, 1 skipped.");
  expect(doneText({ by_status: { ...STATUS, skipped: 0 }, by_features: { ...by_features, failed: 2 } })).toBe("3 images labelled; 2 cannot be used.");
});

test("hourBars: hours in their place, empty ones too", () => {
  const now = new Date("2026-01-02T12:30:00Z");
  const bars = hourBars([{ hour: "2026-01-02T09:00:00Z", annotations: 10 }, { hour: "2026-01-02T12:00:00+00:00", annotations: 5 }], now, 4);
  expect(bars.map(({ count, height }) => [count, height])).toEqual([[10, 1], [0, 0], [0, 0], [5, 0.5]]);
});
