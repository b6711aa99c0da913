import { expect, test } from "vitest";

import { placeAfter } from "../../src/pages/labeling/roving_focus";

test.each([
  ["ArrowRight", 0, 1],
  ["ArrowDown", 2, 0],
  ["ArrowLeft", 0, 2],
  ["Home", 1, 0],
  ["End", 0, 2],
  ["f", 1, null],
])("placeAfter: %s at %i of 3 is %s", (key, at, to) => expect(placeAfter(key, at, 3)).toBe(to));

test("placeAfter: nowhere from outside", () => expect(placeAfter("End", -1, 3)).toBeNull());
