import { expect, test } from "vitest";

import { correctionText, withHolesFilled, type PredictedRegion } from "../../src/state/predicted_region";
import type { LabelClass } from "../../src/state/types";

const CLASSES = [{ id: 1, name: "nuclei" }, { id: 2, name: "tissue" }] as LabelClass[];
const IMAGE = { width: 500, height: 400 };

function region(...rows: readonly string[]): PredictedRegion {
  const cells = Uint8Array.from(rows.join(""), (mark) => (mark === "#" ? 1 : 0));
  return { class_id: 1, width: rows[0]?.length ?? 0, height: rows.length, cells, has: () => true };
}

test("withHolesFilled: what is enclosed, and nothing that opens to the edge or across a side", () => {
  const found = withHolesFilled(region("#####", "#.#..", "#####", "..#.#", ".####"));
  expect([...found.cells]).toEqual([...region("#####", "###..", "#####", "..###", ".####").cells]);
});

test("correctionText: what it becomes, and how large it is", () => {
  const ring = region("###..", "#.#..", "###..", ".....");
  expect(correctionText(ring, "accept", 1, CLASSES, IMAGE)).toBe("Accept as nuclei, about 80,000 px");
  expect(correctionText(withHolesFilled(ring), "fill", 1, CLASSES, IMAGE)).toBe("Accept, holes filled, as nuclei, about 90,000 px");
  expect(correctionText(ring, "erase", 2, CLASSES, IMAGE)).toBe("Change to tissue, about 80,000 px");
  expect(correctionText(ring, "erase", null, CLASSES, IMAGE)).toBe("Predicted as the chosen class: choose the class that it is");
});
