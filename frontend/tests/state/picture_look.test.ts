import { describe, expect, test } from "vitest";

import { changesNothing, FULL_WINDOW, isPlain, lookQuery, PLAIN_LOOK, PLAIN_SERVED, servedLook, toneCurve, windowOf } from "../../src/state/picture_look";
import { DEFAULT_PREFERENCES, viewOf, withView } from "../../src/state/preferences";

const DISPLAY = { bands: 3, deep: false, black: 0, white: 255, auto_low: 0.2, auto_high: 0.6 };
const DEEP = { ...DISPLAY, deep: true, white: 40_000 };

function shown(value: number, curve: { slope: number; intercept: number; exponent: number }): number {
  return Math.min(Math.max(value * curve.slope + curve.intercept, 0), 1) ** curve.exponent;
}

test("the plain look changes nothing and asks for nothing", () => {
  expect(isPlain(PLAIN_LOOK)).toBe(true);
  expect(windowOf(PLAIN_LOOK, DISPLAY)).toEqual(FULL_WINDOW);
  expect(lookQuery(servedLook(PLAIN_LOOK, DEEP))).toBe("");
  expect(changesNothing(toneCurve(FULL_WINDOW, FULL_WINDOW, 1))).toBe(true);
});

describe("windowOf", () => {
  test("brighter: what was dark becomes lighter, by as much everywhere", () => {
    const curve = toneCurve(windowOf({ ...PLAIN_LOOK, brightness: 0.4 }, null), FULL_WINDOW, 1);
    expect(shown(0.3, curve)).toBeCloseTo(0.5);
    expect(shown(0.5, curve)).toBeCloseTo(0.7);
  });

  test("more contrast: the middle stays, the rest moves away from it", () => {
    const curve = toneCurve(windowOf({ ...PLAIN_LOOK, contrast: 0.5 }, null), FULL_WINDOW, 1);
    expect(shown(0.5, curve)).toBeCloseTo(0.5);
    expect(shown(0.4, curve)).toBeLessThan(0.3);
  });

  test("automatic: what suits the picture, once that is known", () => {
    expect(windowOf({ ...PLAIN_LOOK, auto: true }, null)).toEqual(FULL_WINDOW);
    const { low, high } = windowOf({ ...PLAIN_LOOK, auto: true }, DISPLAY);
    expect([low, high]).toEqual([expect.closeTo(0.2), expect.closeTo(0.6)]);
  });
});

test("gamma above 1 lightens the dark parts and keeps black and white", () => {
  const curve = toneCurve(FULL_WINDOW, FULL_WINDOW, 2);
  expect([shown(0, curve), shown(1, curve)]).toEqual([0, 1]);
  expect(shown(0.25, curve)).toBeCloseTo(0.5);
});

describe("servedLook", () => {
  const look = { ...PLAIN_LOOK, bands: [4, 2, 1], contrast: 0.5 };

  test("the server renders bands, and the contrast of deep pictures only", () => {
    expect(lookQuery(servedLook(look, DISPLAY))).toBe("bands=4,2,1");
    expect(lookQuery(servedLook(look, DEEP))).toMatch(/^bands=4,2,1&low=0\.\d+&high=0\.\d+$/);
  });

  test("what the server has rendered the screen does not do once more", () => {
    const wanted = windowOf(look, DEEP);
    const rendered = servedLook(look, DEEP).window;
    expect(changesNothing(toneCurve(wanted, rendered, 1))).toBe(true);
    expect(changesNothing(toneCurve(wanted, PLAIN_SERVED.window, 1))).toBe(false);
  });
});

describe("the view of a session", () => {
  test("is its own, and complete whatever was stored", () => {
    const changed = { ...DEFAULT_PREFERENCES, ...withView(DEFAULT_PREFERENCES, "a", { confidence_class_id: 3 }) };
    expect(viewOf(changed, "a")).toEqual({ look: PLAIN_LOOK, confidence_class_id: 3 });
    expect(viewOf(changed, "b").confidence_class_id).toBeNull();
    const older = { ...DEFAULT_PREFERENCES, views: { a: { look: { gamma: 2 } } } } as unknown as typeof DEFAULT_PREFERENCES;
    expect(viewOf(older, "a").look).toEqual({ ...PLAIN_LOOK, gamma: 2 });
  });

  test("is forgotten when fifty others have come", () => {
    let preferences = DEFAULT_PREFERENCES;
    for (let i = 0; i < 51; i += 1) preferences = { ...preferences, ...withView(preferences, `s${i}`, { confidence_class_id: 1 }) };
    expect(Object.keys(preferences.views)).toHaveLength(50);
    expect(viewOf(preferences, "s0").confidence_class_id).toBeNull();
  });
});
