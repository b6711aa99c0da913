import { beforeEach, expect, test } from "vitest";

import type { PolygonGeometry } from "../../src/state/regions";
import { PolygonTool } from "../../src/render/tools/polygon_tool";
import type { ToolPointer } from "../../src/render/tools";

let chosen: number;

beforeEach(() => {
  chosen = 1;
});

function make(): { tool: PolygonTool; closed: PolygonGeometry[]; class_ids: (number | null)[]; click: (x: number, y: number) => void } {
  const closed: PolygonGeometry[] = [];
  const class_ids: (number | null)[] = [];
  const tool = new PolygonTool(() => "", {
    chosenClass: () => chosen, color: () => "", isReady: () => true, tooSmall: () => undefined, changed: () => undefined,
    polygon: (geometry, class_id) => {
      closed.push(geometry);
      class_ids.push(class_id);
    },
  }); // prettier-ignore
  const click = (x: number, y: number): void => {
    tool.down({ inside: [x, y], button: "primary", clicks: 1, pixel: 1 } as unknown as ToolPointer);
  };
  return { tool, closed, class_ids, click };
}

const ENTER = { key: "Enter", ctrl: false, shift: false, alt: false };

test("openImage: corners that were not closed stay with their image, and are closed after the return", () => {
  const { tool, closed, click } = make();
  expect(tool.openImage(1)).toBeNull();
  click(0, 0);
  click(50, 0);
  expect(tool.openImage(2)).toBe(1);
  expect([tool.isEmpty, tool.key(ENTER)]).toEqual([true, false]);
  expect(tool.openImage(1)).toBeNull();
  click(50, 50);
  expect(tool.key(ENTER)).toBe(true);
  expect(closed).toHaveLength(1);
  expect(closed[0]?.rings[0]).toHaveLength(3);
  expect(tool.openImage(3)).toBeNull();
});

test("key: Escape gives the corners up", () => {
  const { tool, click } = make();
  tool.openImage(1);
  click(0, 0);
  tool.key({ ...ENTER, key: "Escape" });
  expect([tool.isEmpty, tool.openImage(2)]).toEqual([true, null]);
});

test("openImage: a polygon keeps its class, whatever was chosen for other images meanwhile", () => {
  const { tool, class_ids, click } = make();
  const corners = (): void => [[0, 0], [50, 0], [50, 50]].forEach(([x = 0, y = 0]) => click(x, y));
  tool.openImage(1);
  corners();
  tool.openImage(2);
  chosen = 2;
  corners();
  tool.takeClass(3);
  tool.key(ENTER);
  tool.openImage(1);
  tool.key(ENTER);
  expect(class_ids).toEqual([3, 1]);
});
