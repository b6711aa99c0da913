import { expect, test } from "vitest";

import { heatRows, historyPoints, movingPoints, reliabilityPoints } from "../../src/state/quality_plots";

test("heatRows: shares of each true class; a class without samples has none", () => {
  const [first, second] = heatRows({ class_ids: [3, 7], counts: [[3, 1], [0, 0]] });
  expect(first?.map(({ share }) => share)).toEqual([0.75, 0.25]);
  expect(first?.[1]).toMatchObject({ true_id: 3, predicted_id: 7, is_right: false });
  expect(second?.map(({ share }) => share)).toEqual([0, 0]);
});

test("historyPoints: measurements without a figure leave a gap in time, not a zero", () => {
  const at = "2026-01-01T00:00:00Z";
  const none = { at, n_labels: 1, n_images: 1, method: null, accuracy: null };
  const one = { at, n_labels: 9, n_images: 9, method: "held_out" as const, accuracy: { value: 0.88, low: 0.742, high: 0.951 } };
  expect(historyPoints([none, one])).toEqual([{ x: 2, y: 0.88, low: 0.742, high: 0.951 }]);
});

test("reliabilityPoints: few samples leave wide intervals, as scipy has them", () => {
  const [few, many] = reliabilityPoints([
    { low: 0.5, high: 0.6, count: 2, confidence: 0.55, accuracy: 0.5 },
    { low: 0.9, high: 1, count: 100, confidence: 0.95, accuracy: 1 },
  ]);
  expect([few?.x, few?.y, few?.count]).toEqual([0.55, 0.5, 2]);
  expect(few?.low).toBeCloseTo(0.0945, 3);
  expect(few?.high).toBeCloseTo(0.9055, 3);
  expect(many?.low).toBeCloseTo(0.963, 3);
  expect(many?.high).toBe(1);
});

test("movingPoints: an average over one image is no figure", () => {
  const shares = [1, 0.5, 0.67, 0.5, 0.6, 0.67].map((y, index) => ({ x: index + 1, count: index + 1, y }));
  expect(movingPoints(shares)).toEqual([{ x: 5, y: 0.6 }, { x: 6, y: 0.67 }]);
  expect(movingPoints(shares.slice(0, 3))).toEqual([]);
});
