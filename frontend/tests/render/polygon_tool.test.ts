import { expect, test } from "vitest";

import type { PolygonGeometry } from "../../src/state/regions";
import { PolygonTool } from "../../src/render/tools/polygon_tool";
import type { ToolPointer } from "../../src/render/tools";

function make(): { tool: PolygonTool; closed: PolygonGeometry[]; click: (x: number, y: number) => void } {
  const closed: PolygonGeometry[] = [];
  const tool = new PolygonTool(() => "", {
    color: () => "", isReady: () => true, polygon: (geometry) => closed.push(geometry), tooSmall: () => undefined, changed: () => undefined,
  }); // prettier-ignore
  const click = (x: number, y: number): void => {
    tool.down({ inside: [x, y], button: "primary", clicks: 1, pixel: 1 } as unknown as ToolPointer);
  };
  return { tool, closed, click };
}

const ENTER = { key: "Enter", ctrl: false, shift: false, alt: false };

test("openImage: corners that were not closed stay with their image, and are closed after the return", () => {
  const { tool, closed, click } = make();
  expect(tool.openImage(1)).toBeNull();
  click(0, 0);
  click(50, 0);
  expect(tool.openImage(2)).toBe(1);
  expect([tool.isOpen, tool.key(ENTER)]).toEqual([false, false]);
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
  expect([tool.isOpen, tool.openImage(2)]).toEqual([false, null]);
});
