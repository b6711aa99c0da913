import { expect, test } from "vitest";

import { meanOpacity, sharedOpacity } from "../../src/state/opacity";

test.each([0, 0.2, 0.4, 0.75, 0.95])("sharedOpacity: prediction and regions together are as opaque as the slider says (%f)", (slider) => {
  const shared = sharedOpacity(slider, true);
  const together = 1 - (1 - shared.overlay) * (1 - meanOpacity(shared));
  expect(together).toBeCloseTo(slider, 6);
  expect(shared.fill).toBeLessThanOrEqual(0.25 * slider);
});

test("sharedOpacity: without regions the prediction has all of it", () => {
  expect([0, 0.4, 1].map((slider) => sharedOpacity(slider, false).overlay)).toEqual([0, 0.4, 1]);
  expect(sharedOpacity(1, true).overlay).toBe(1);
});
