import { expect, test } from "vitest";

import { LOGITS } from "../../src/render/colormap";
import { packLogits, toHalf } from "../../src/render/half_floats";
import type { ClassMap } from "../../src/state/prediction";

function fromHalf(half: number): number {
  const exponent = (half >> 10) & 0x1f;
  if (exponent === 0) return 0;
  return (half & 0x8000 ? -1 : 1) * 2 ** (exponent - 15) * (1 + (half & 0x3ff) / 1024);
}

test("toHalf: every logit to within a thousandth of itself", () => {
  for (const value of [0, 1, -1, 2.5, -6.2, 1.9999, ...LOGITS]) {
    expect(Math.abs(fromHalf(toHalf(value)) - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -10 + 1e-4);
  }
});

function map(class_id: number, ...values: number[]): ClassMap {
  return { class_id, map: { width: values.length, height: 1, values: Uint8Array.from(values) } };
}

test("packLogits: one class by itself, else four a texel, layer after layer", () => {
  const half = (value: number): number => toHalf(LOGITS[value] ?? 0);
  expect([...packLogits([map(1, 0, 200)])]).toEqual([half(0), half(200)]);
  const five = packLogits([1, 2, 3, 4, 5].map((k) => map(k, 10 * k, 100 + k)));
  expect(five).toHaveLength(2 * 4 * 2);
  expect([...five.slice(0, 8)]).toEqual([10, 20, 30, 40, 101, 102, 103, 104].map(half));
  expect([five[8], five[12]]).toEqual([half(50), half(105)]);
});
