import { describe, expect, test } from "vitest";

import { ToolHost } from "../../src/render/tool_host";
import type { StageTool, ToolPointer } from "../../src/render/tools";

/** Image 1 is on screen until then, image 2 from then on. */
const CHANGE_MS = 10_000;
const [BEFORE, AFTER] = [CHANGE_MS - 1, CHANGE_MS + 1];

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
  const view = { scale: 2, x: 0, y: 0 };
  const left: [number, ...ToolPointer[]][] = [];
  const missed: (number | null)[] = [];
  const tools = new ToolHost({
    at: ({ clientX, clientY }) => [clientX, clientY],
    imageAt: (at_ms) => image && { image_id: at_ms < CHANGE_MS ? 1 : 2, size: image, view: at_ms < CHANGE_MS ? view : { scale: 1, x: 10, y: 0 } },
    leftInput: (pointers, image_id) => left.push([image_id, ...pointers]),
    missed: (image_id) => missed.push(image_id),
    repaint: () => undefined,
  });
  tools.openImage(image && 1);
  tools.set(tool);
  return { tools, calls, left, missed, tool, names: () => calls.map(([name]) => name) };
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

  test("counts presses of a key as it is told: nobody has to be quick", () => {
    const { tools, calls } = host(false);
    for (const [timeStamp, detail] of [[0, 1], [9_000, 2]] as const) tools.down(event({ timeStamp, detail, pointerType: "keyboard" }));
    expect(calls.map(([, pointer]) => [pointer?.clicks, pointer?.device])).toEqual([[1, "mouse"], [2, "mouse"]]);
  });

  test("a press from before the frame with the next image counts for the image of that moment, where it lay then", () => {
    const { tools, calls, left, missed, tool } = host(false);
    Object.assign(tool, { draws: false });
    tools.openImage(2);
    expect(tools.down(event({ clientX: 20, clientY: 10, timeStamp: BEFORE }))).toBe(false);
    expect(tools.down(event({ clientX: 20, clientY: 10, timeStamp: AFTER }))).toBe(false);
    expect(left.map(([image_id, ...pointers]) => [image_id, pointers.map(({ x, y, pixel }) => [x, y, pixel])])).toEqual([[1, [[10, 5, 0.5]]]]);
    expect([calls.length, calls[0]?.[1]?.x, calls[0]?.[1]?.pixel, missed]).toEqual([1, 10, 1, []]);
  });

  test.each([["before it was left", false], ["after it was left", true]])("a drag that began %s and ended on it is told as a whole", (_, is_late) => {
    const { tools, left, missed, names } = host(true);
    if (is_late) tools.openImage(2);
    expect(tools.down(event({ clientX: 2, timeStamp: BEFORE }))).toBe(true);
    if (!is_late) tools.openImage(2);
    tools.drag([event({ clientX: 8, timeStamp: BEFORE })]);
    tools.up(event({ clientX: 12, timeStamp: BEFORE }));
    expect(left.map(([image_id, ...pointers]) => [image_id, pointers.map(({ x }) => x)])).toEqual([[1, [1, 4, 6]]]);
    expect([missed, names()]).toEqual([[], is_late ? [] : ["down", "cancel"]]);
  });

  test("a release after the change adds nothing to what was drawn before it: a dab is a dab", () => {
    const { tools, left, missed } = host(true);
    tools.openImage(2);
    tools.down(event({ clientX: 8, timeStamp: BEFORE }));
    tools.drag([event({ clientX: 10, timeStamp: AFTER })]);
    tools.up(event({ clientX: 9, timeStamp: AFTER }));
    expect(left.map(([image_id, ...pointers]) => [image_id, pointers.map(({ x }) => x)])).toEqual([[1, [4, 4]]]);
    expect(missed).toEqual([]);
  });

  test.each([["its end", 0], ["the middle", 1]])("a drag across the change, %s on the next image, is missed and goes nowhere", (_, drags_after) => {
    const { tools, left, missed, names } = host(true);
    tools.down(event({ timeStamp: BEFORE }));
    tools.openImage(2);
    for (let i = 0; i < drags_after; i += 1) tools.drag([event({ timeStamp: BEFORE }), event({ clientX: 40, timeStamp: AFTER })]);
    tools.up(event({ clientX: 40, timeStamp: AFTER }));
    tools.drag([event({ timeStamp: AFTER })]);
    expect([missed, left, names()]).toEqual([[1], [], ["down", "cancel"]]);
  });

  test("another tool before the end of a drag on an image that was left: missed", () => {
    const { tools, missed } = host(true);
    tools.down(event({ timeStamp: BEFORE }));
    tools.openImage(2);
    tools.set(null);
    expect(missed).toEqual([1]);
  });
});
