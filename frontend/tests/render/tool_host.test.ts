import { describe, expect, test } from "vitest";

import { ToolHost } from "../../src/render/tool_host";
import type { StageTool, ToolPointer } from "../../src/render/tools";

function event(values: Partial<PointerEvent>): PointerEvent {
  return { clientX: 0, clientY: 0, button: 0, timeStamp: 0, pointerType: "mouse", pressure: 0.5, ...values } as PointerEvent;
}

function host(wants_drag: boolean, image: { width: number; height: number } | null = { width: 100, height: 50 }) {
  const calls: [string, ...ToolPointer[]][] = [];
  const tool: StageTool = {
    cursor: "crosshair",
    draws: true,
    down: (pointer) => {
      calls.push(["down", pointer]);
      return wants_drag;
    },
    drag: (pointers) => calls.push(["drag", ...pointers]),
    up: (pointer) => calls.push(["up", pointer]),
    cancel: () => calls.push(["cancel"]),
    hover: (pointer) => calls.push(pointer ? ["hover", pointer] : ["hover"]),
  };
  const tools = new ToolHost({ toImage: ({ clientX, clientY }) => [clientX / 2, clientY / 2], pixel: () => 0.5, image: () => image, repaint: () => undefined });
  tools.set(tool);
  return { tools, calls, names: () => calls.map(([name]) => name) };
}

describe("ToolHost", () => {
  test("a drag reaches the tool in pixels of the image, and the nearest place on it", () => {
    const { tools, calls } = host(true);
    expect(tools.down(event({ clientX: 20, clientY: 10, button: 2 }))).toBe(true);
    tools.drag([event({ clientX: 30 }), event({ clientX: 900, clientY: -8 })]);
    tools.up(event({}));
    expect(calls[0]?.[1]).toMatchObject({ x: 10, y: 5, inside: [10, 5], button: "secondary", pixel: 0.5 });
    expect(calls[1]?.[2]).toMatchObject({ x: 450, y: -4, inside: [100, 0], button: "secondary" });
    expect(calls.map(([name]) => name)).toEqual(["down", "drag", "up"]);
  });

  test("a tool that wants no drag hears of none", () => {
    const { tools, names } = host(false);
    tools.down(event({}));
    tools.drag([event({})]);
    tools.up(event({}));
    tools.cancel();
    expect(names()).toEqual(["down"]);
  });

  test("another tool ends the drag of the one before", () => {
    const { tools, names } = host(true);
    tools.down(event({}));
    tools.set(null);
    tools.up(event({}));
    expect(names()).toEqual(["down", "cancel", "hover"]);
  });

  test("nothing without an image", () => {
    const { tools, names } = host(true, null);
    expect(tools.down(event({}))).toBe(false);
    expect(names()).toEqual([]);
  });

  test("counts clicks by time and place", () => {
    const { tools, calls } = host(false);
    for (const [timeStamp, clientX] of [[0, 0], [200, 3], [400, 90], [5_000, 90]] as const) tools.down(event({ timeStamp, clientX }));
    expect(calls.map(([, pointer]) => pointer?.clicks)).toEqual([1, 2, 1, 1]);
  });
});
