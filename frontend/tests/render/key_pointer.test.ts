import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { KeyPointer } from "../../src/render/key_pointer";
import { StageView, type PlacedImage } from "../../src/render/stage_view";
import { ToolHost } from "../../src/render/tool_host";
import { PolygonTool } from "../../src/render/tools/polygon_tool";
import type { StageTool, ToolPointer } from "../../src/render/tools";

const SIZE = { width: 200, height: 100 };
let now: number;

beforeEach(() => {
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  // The cross hair is of no interest here.
  vi.stubGlobal("document", { createElement: () => ({}) });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Image 1 is on screen; `show` brings another one, at the time of then. */
function rig(tool: StageTool, next_size = SIZE) {
  const view = new StageView(() => undefined);
  view.resize({ width: 440, height: 440 });
  const shown: [at_ms: number, image_id: number][] = [[0, 1]];
  const imageAt = (at_ms: number): PlacedImage | null => view.of(shown.findLast(([from_ms]) => from_ms <= at_ms)?.[1] ?? 0);
  const missed: (number | null)[] = [];
  const left: number[] = [];
  const given_up: number[] = [];
  const tools = new ToolHost({
    at: ({ clientX, clientY }) => [clientX, clientY],
    imageAt, leftInput: (_, image_id) => left.push(image_id), missed: (image_id) => missed.push(image_id), repaint: () => undefined,
  }); // prettier-ignore
  const box = (): DOMRect => ({ left: 0, top: 0 }) as DOMRect;
  const cursor = new KeyPointer(view, tools, { imageAt, box, changed: () => undefined, gaveUp: (image_id) => given_up.push(image_id) });
  view.setImage({ image_id: 1, size: SIZE });
  view.painted();
  tools.openImage(1);
  tools.set(tool);
  cursor.set(true);
  const open = (image_id: number): void => {
    view.setImage({ image_id, size: next_size });
    tools.openImage(image_id);
  };
  const show = (image_id: number): void => {
    open(image_id);
    view.painted();
    shown.push([now, image_id]);
    cursor.shows();
  };
  return { cursor, tools, open, show, missed, left, given_up };
}

function dragTool() {
  const heard: string[] = [];
  const tool: StageTool = {
    cursor: "", draws: true,
    down: () => heard.push("down") > 0, drag: () => heard.push("drag"), up: () => heard.push("up"), cancel: () => heard.push("cancel"),
  }; // prettier-ignore
  return { tool, heard };
}

describe("press", () => {
  test.each([["as large", SIZE], ["smaller", { width: 40, height: 90 }]])(
    "what was begun is given up when another image comes, %s: nothing of it is drawn anywhere", (_, next_size) => {
      const { tool, heard } = dragTool();
      const { cursor, show, missed, left, given_up } = rig(tool, next_size);
      cursor.press(false, now);
      expect(cursor.isHeld).toBe(true);
      now = 1_000;
      show(2);
      expect([cursor.isHeld, given_up, heard]).toEqual([false, [1], ["down", "cancel"]]);
      now = 5_000;
      cursor.press(false, now);
      expect([cursor.isHeld, missed, left, heard.at(-1)]).toEqual([true, [], [], "down"]);
      cursor.press(false, now);
      expect([cursor.isHeld, given_up, heard.at(-1)]).toEqual([false, [1], "up"]);
    },
  );

  test("what ends before a frame shows the next image is drawn where it began", () => {
    const { cursor, open, left, given_up } = rig(dragTool().tool);
    cursor.press(false, now);
    open(2);
    cursor.press(false, now);
    expect([left, given_up, cursor.isHeld]).toEqual([[1], [], false]);
  });

  test("a key of before the change that is heard after it begins nothing that nobody sees", () => {
    const { cursor, show, given_up, missed } = rig(dragTool().tool);
    now = 1_000;
    show(2);
    now = 1_001;
    cursor.press(false, 999);
    expect([cursor.isHeld, given_up, missed]).toEqual([false, [1], []]);
  });
});

describe("presses at one place", () => {
  function polygon() {
    const closed: number[] = [];
    const tool = new PolygonTool(() => "", {
      chosenClass: () => 1, color: () => "", isReady: () => true, tooSmall: () => undefined, changed: () => undefined,
      polygon: (geometry) => closed.push(geometry.rings[0]?.length ?? 0),
    }); // prettier-ignore
    const { cursor } = rig(tool);
    const corners = (): void => {
      for (const way of [[0, 0], [1, 0], [0, 1], [-1, 0]] as const) {
        cursor.move(way, "long", now);
        cursor.press(false, now);
      }
    };
    return { tool, cursor, closed, corners };
  }

  test("two of them close a polygon", () => {
    const { cursor, closed, corners } = polygon();
    corners();
    cursor.press(false, now);
    expect(closed).toEqual([4]);
  });

  test.each([["Backspace", false], ["z", true]])("%s between them takes the corner back, and the next press sets it again", (key, ctrl) => {
    const { tool, cursor, closed, corners } = polygon();
    corners();
    cursor.otherKey();
    tool.key({ key, ctrl, shift: false, alt: false });
    cursor.press(false, now);
    expect([closed, tool.cornerCount]).toEqual([[], 4]);
  });

  test("are counted anew after the cursor's drag was given up", () => {
    const clicks: number[] = [];
    const { tool } = dragTool();
    const down = ({ clicks: count }: ToolPointer): boolean => clicks.push(count) > 0;
    const { cursor, tools } = rig({ ...tool, down });
    cursor.press(false, now);
    tools.cancel();
    cursor.rest();
    cursor.press(false, now);
    expect(clicks).toEqual([1, 1]);
  });
});
